# A linear layer on the patch tokens of DINOv2's ViT-S/14, frozen, on pseudo masks of PASCAL VOC 2012
# train_aug. Initial weights: the published file, converted while it is read. Rates as in the published linear
# evaluation.
_base_ = [
    '../_base_/models/encoder_decoder.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
pretrained = 'data/weights/dinov2_vits14_pretrain.pth'
model = dict(
    backbone=dict(
        type='DINOv2VisionTransformer',
        out_indices=(2, 5, 8, 11),
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=384,
        channels=384,
        in_index=3,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0.0,
        align_corners=False,
        num_classes=21,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
)
initial_weights = 'dinov2'
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=1e-4))
default_hooks = dict(checkpoint=dict(interval=4000))
