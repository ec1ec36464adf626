# Segmenter (Strudel et al., ICCV 2021): ViT-S/16 and a mask transformer, on pseudo masks of PASCAL VOC 2012
# train_aug. Initial weights: mmseg's converted ImageNet file, which mmseg's configs name; its inputs are
# normalised with 127.5. `patch_bias`: the file has a bias for the patch projection, which mmseg leaves out by
# default.
_base_ = [
    '../_base_/models/encoder_decoder.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_sgd_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segmenter/vit_small_p16_384_20220308-410f6037.pth'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(
        type='GridVisionTransformer',
        img_size=(512, 512),
        patch_bias=True,
        embed_dims=384,
        num_heads=6,
        drop_path_rate=0.1,
        final_norm=True,
        norm_cfg=dict(type='LN', eps=1e-6),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    decode_head=dict(
        type='SegmenterMaskTransformerHead',
        in_channels=384,
        channels=384,
        embed_dims=384,
        num_layers=2,
        num_heads=6,
        num_classes=21,
        dropout_ratio=0.0,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
)
# As mmseg trains it.
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.0))
default_hooks = dict(checkpoint=dict(interval=4000))
