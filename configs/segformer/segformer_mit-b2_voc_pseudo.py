# SegFormer-B2 on pseudo masks of PASCAL VOC 2012 train_aug, from ImageNet weights.
_base_ = [
    '../_base_/models/segformer_mit-b2.py',
    '../_base_/datasets/voc12aug_512_seg.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    decode_head=dict(num_classes=21, norm_cfg=dict(type='SyncBN')),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))))
default_hooks = dict(checkpoint=dict(interval=4000))
