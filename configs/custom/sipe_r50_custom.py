# SIPE on your own data: see docs/own_data.md. The number of classes is that of classes.txt. Five epochs suit
# ten thousand images; with a few hundred, train longer.
_base_ = [
    '../_base_/models/sipe_r50.py',
    '../_base_/datasets/custom_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
model = dict(head=dict(num_classes='auto'))
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
mask_cfg = dict(refiners=[])
