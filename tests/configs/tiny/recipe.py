# Pseudo masks of the generated demo images, and a schedule for small segmenters from scratch.
_base_ = [
    '../../../configs/_base_/datasets/demo_seg.py',
    '../../../configs/_base_/schedules/schedule_tiny_demo_seg.py',
]
