# CAM, PASCAL VOC 2012, ResNeXt-101 32x8d.
_base_ = [
    '../_base_/models/cam_x101.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
