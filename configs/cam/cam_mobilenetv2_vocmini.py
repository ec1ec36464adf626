_base_ = [
    '../_base_/models/cam_mobilenetv2.py',
    '../_base_/datasets/vocmini_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
