# DeepLabV2 on pseudo masks of COCO 2014 (80 classes and background), from ImageNet weights, for five times
# the iterations of VOC.
_base_ = [
    '../_base_/models/deeplabv2_r101.py',
    '../_base_/datasets/coco14_seg.py',
    '../_base_/schedules/schedule_deeplabv2_20k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]

max_iters = 100_000
model = dict(decode_head=dict(num_classes=81))
train_cfg = dict(max_iters=max_iters, val_interval=10_000)
default_hooks = dict(checkpoint=dict(interval=10_000))
