# SIPE, PASCAL VOC 2012, Swin-T.
_base_ = [
    '../_base_/models/sipe_swin.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_adamw_5e.py',
    '../_base_/default_runtime.py',
]
mask_cfg = dict(refiners=[])
