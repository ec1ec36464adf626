# SegNeXt-B (Guo et al., NeurIPS 2022) on pseudo masks of PASCAL VOC 2012 train_aug: MSCAN-B and the Hamburger
# head, whose random start is fixed at test time. Initial weights: mmseg's converted ImageNet-1k file, which
# mmseg's configs name.
_base_ = [
    '../_base_/models/encoder_decoder.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
pretrained = (
    'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segnext/mscan_b_20230227-3ab7d230.pth'
)
model = dict(
    backbone=dict(
        type='MSCAN',
        embed_dims=[64, 128, 320, 512],
        mlp_ratios=[8, 8, 4, 4],
        depths=[3, 3, 12, 3],
        drop_path_rate=0.1,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    decode_head=dict(
        type='SeededLightHamHead',
        in_channels=[128, 320, 512],
        in_index=[1, 2, 3],
        channels=512,
        ham_channels=512,
        ham_kwargs=dict(MD_R=16),
        norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
        num_classes=21,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))))
default_hooks = dict(checkpoint=dict(interval=4000))
