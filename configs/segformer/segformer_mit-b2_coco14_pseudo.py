# SegFormer-B2 on pseudo masks of COCO 2014 (80 classes and background), from ImageNet weights.
_base_ = [
    '../_base_/models/segformer_mit-b2.py',
    '../_base_/datasets/coco14_seg.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    decode_head=dict(num_classes=81, norm_cfg=dict(type='SyncBN')),
)
# Crops, colour changes and batch as in voc12aug_512_seg.py; 640 is COCO's long side.
crop_size = (512, 512)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))))
default_hooks = dict(checkpoint=dict(interval=4000))
