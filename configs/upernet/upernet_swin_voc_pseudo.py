# UPerNet (Xiao et al., ECCV 2018) on Swin-T (Liu et al., ICCV 2021), which is the default of mmseg's
# SwinTransformer, on pseudo masks of PASCAL VOC 2012 train_aug. Initial weights: mmseg's converted
# ImageNet-1k file, which mmseg's configs name.
_base_ = [
    '../_base_/models/encoder_decoder.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
num_classes = 21
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
        num_classes=num_classes,
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
        num_classes=num_classes,
        loss_decode=dict(type='GlobalCrossEntropyLoss', loss_weight=0.4),
    ),
)
default_hooks = dict(checkpoint=dict(interval=4000))
