# CAM, PASCAL VOC 2012, MiT-B1, SegFormer's encoder, with the last stage at stride 16 instead of 32; all of it
# is trained. Initial weights: mmseg's converted ImageNet-1k file, which mmseg's configs name.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_adamw_5e.py',
    '../_base_/default_runtime.py',
]
pretrained = (
    'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segformer/mit_b1_20220624-02e5a6a1.pth'
)
model = dict(
    backbone=dict(
        _delete_=True,
        type='AnySizeMixVisionTransformer',
        embed_dims=64,
        num_layers=[2, 2, 2, 2],
        num_heads=[1, 2, 5, 8],
        strides=[4, 2, 2, 1],
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(in_channels=512),
    freeze_norm=False,
    frozen_modules=(),
)
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
