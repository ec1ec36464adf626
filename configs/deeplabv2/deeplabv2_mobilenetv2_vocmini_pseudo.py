# DeepLabV2 on MobileNetV2 for the 149 training images of voc_mini, sized for two CPU cores; from ImageNet
# weights. The first three stages, half of the cost, stay as they are.
_base_ = [
    '../_base_/models/deeplabv2_mobilenetv2.py',
    '../_base_/datasets/vocmini_seg.py',
    '../_base_/schedules/schedule_deeplabv2_20k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]

max_iters = 300
crop_size = (257, 257)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
model = dict(backbone=dict(frozen_stages=3), decode_head=dict(num_classes=21))
# mmseg's MobileNetV2 freezes its stages only once training starts, after DDP has listed them.
find_unused_parameters = True
auto_scale_lr = dict(base_batch_size=8)
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
# 300 steps are too few for DeepLabV2's SGD, which is meant for 20,000.
optim_wrapper = dict(
    type='BFloat16OptimWrapper',
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(_delete_=True, decode_head=dict(lr_mult=10.0))),
)
custom_hooks = [dict(type='ChannelsLastHook')]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=200))
