# A linear layer on the patch tokens of DINOv2's ViT-S/14, frozen. Initial weights: the published file,
# converted while it is read.
_base_ = ['./encoder_decoder.py']
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
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
)
initial_weights = 'dinov2'
