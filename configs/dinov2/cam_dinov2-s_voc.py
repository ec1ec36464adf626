# CAM, PASCAL VOC 2012, on DINOv2's ViT-S/14.
_base_ = [
    '../_base_/models/cam_dinov2-s.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_adamw_5e.py',
    '../_base_/default_runtime.py',
]
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
