# CAM on your own data. Its masks need a background threshold: choose yours by eye, or on masks, and say which
# in `threshold_source`.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/custom_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(num_classes='auto'))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.2)])
