# CAM, COCO 2014, 80 classes.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/coco14_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
num_classes = 80
# Maps at a quarter of the image size: 82,081 images take about 7 GB instead of 100.
model = dict(head=dict(num_classes=num_classes, rectify='views'), test_cfg=dict(stride=4))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
