# CAM, PASCAL VOC 2012, MobileNetV2.
_base_ = [
    '../_base_/models/cam_mobilenetv2.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    test_cfg=dict(scales=(1.0, 0.5, 1.5, 2.0)),
)
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
