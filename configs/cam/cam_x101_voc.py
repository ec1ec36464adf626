# CAM, PASCAL VOC 2012, ResNeXt-101 32x8d at output stride 16.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
pretrained = 'https://download.pytorch.org/models/resnext101_32x8d-8ba56ff5.pth'
model = dict(
    backbone=dict(
        type='ResNeXt',
        depth=101,
        groups=32,
        base_width=8,
        init_cfg=dict(checkpoint=pretrained),
    )
)
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
