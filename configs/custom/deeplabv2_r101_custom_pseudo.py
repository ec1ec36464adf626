# DeepLabV2 on the pseudo masks of your own data: see docs/own_data.md.
_base_ = [
    '../_base_/models/deeplabv2_r101.py',
    '../_base_/datasets/custom_seg.py',
    '../_base_/schedules/schedule_deeplabv2_20k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
model = dict(decode_head=dict(num_classes='auto'))
