_base_ = [
    '../_base_/models/cam_tiny.py',
    '../_base_/datasets/demo_cls.py',
    '../_base_/schedules/schedule_wsss_5e.py',
    '../_base_/default_runtime.py',
]
