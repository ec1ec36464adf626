# A linear layer on the frozen DINOv2 ViT-S/14, on pseudo masks of PASCAL VOC 2012 train_aug. Rates as in the
# published linear evaluation.
_base_ = [
    '../_base_/models/linear_dinov2-s.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
model = dict(decode_head=dict(num_classes=21))
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=1e-4))
default_hooks = dict(checkpoint=dict(interval=4000))
