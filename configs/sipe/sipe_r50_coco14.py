# SIPE, COCO 2014, 80 classes. Maps at a quarter of the image size: 82,081 images take about 9 GB.
_base_ = [
    '../_base_/models/sipe_r50.py',
    '../_base_/datasets/coco14_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(num_classes=80), test_cfg=dict(stride=4))
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
mask_cfg = dict(refiners=[])
