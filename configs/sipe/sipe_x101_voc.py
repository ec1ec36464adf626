# SIPE, PASCAL VOC 2012, ResNeXt-101 32x8d.
_base_ = [
    '../_base_/models/sipe_x101.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
mask_cfg = dict(refiners=[])
