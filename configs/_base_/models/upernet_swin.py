# UPerNet (Xiao et al., ECCV 2018) on Swin-T (Liu et al., ICCV 2021), which is the default of mmseg's
# SwinTransformer. Initial weights: mmseg's converted ImageNet-1k file, which mmseg's configs name.
_base_ = ['./encoder_decoder.py']
norm_cfg = dict(type='SyncBN', requires_grad=True)
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/swin/swin_tiny_patch4_window7_224_20220317-1cdeb081.pth'
model = dict(
    backbone=dict(
        type='SwinTransformer',
        drop_path_rate=0.3,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    decode_head=dict(
        type='UPerHead',
        in_channels=[96, 192, 384, 768],
        in_index=[0, 1, 2, 3],
        channels=512,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=384,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='GlobalCrossEntropyLoss', loss_weight=0.4),
    ),
)
