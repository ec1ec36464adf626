# CAM on 2,899 training images of VOC with EfficientNet-Lite2, sized for one CPU core.
_base_ = [
    '../_base_/models/cam_lite2.py',
    '../_base_/datasets/voc12part_cls.py',
    '../_base_/schedules/schedule_voc12part_cls.py',
]
mask_cfg = dict(
    refiners=[dict(type='BackgroundThreshold', threshold=0.2)],
    threshold_source='usual for CAM; not chosen on masks',
)
