# UPerNet on Swin-T on pseudo masks of PASCAL VOC 2012 train_aug, from ImageNet weights.
_base_ = [
    '../_base_/models/upernet_swin.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
num_classes = 21
model = dict(
    decode_head=dict(num_classes=num_classes),
    auxiliary_head=dict(num_classes=num_classes),
)
default_hooks = dict(checkpoint=dict(interval=4000))
