# DeepLabV2 on MobileNetV2 with plain cross-entropy for the training images of voc_mini (149) and of
# coco_mini/voc20 (77), sized for two CPU cores; from ImageNet weights. Tested on the 78 images of
# coco_mini/voc20 val, whose instances are known. The row that the size-balanced losses are compared with;
# its first half is task A of size_balanced_mobilenetv2_mini_sb.py.
_base_ = [
    '../_base_/models/deeplabv2_mobilenetv2.py',
    '../_base_/datasets/cocomini_seg.py',
    '../_base_/schedules/schedule_deeplabv2_20k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]

max_iters = 300
auto_scale_lr = dict(base_batch_size=8)
crop_size = (225, 225)
voc_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
coco_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
# The first three stages, half of the cost, stay as they are.
model = dict(
    data_preprocessor=dict(size=crop_size),
    backbone=dict(frozen_stages=3),
    decode_head=dict(num_classes=21),
)
# mmseg's MobileNetV2 freezes its stages only once training starts, after DDP has listed them.
find_unused_parameters = True
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        _delete_=True,
        type='WSSSConcatDataset',
        datasets=[
            dict(
                type='VOC12WSSSDataset',
                data_root='data/voc_mini',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
                ann_file='ImageSets/Segmentation/train.txt',
                expected_count=149,
                pipeline=voc_pipeline,
            ),
            dict(
                type='VOC12WSSSDataset',
                data_root='data/coco_mini/voc20',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                ann_file='ImageSets/Segmentation/train.txt',
                expected_count=77,
                pipeline=coco_pipeline,
            ),
        ],
    ),
)
# 300 steps are too few for DeepLabV2's SGD, which is meant for 20,000.
optim_wrapper = dict(
    type='BFloat16OptimWrapper',
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(_delete_=True, decode_head=dict(lr_mult=10.0))),
)
custom_hooks = [
    dict(type='IterationSeedHook'),
    dict(type='CheckNumClassesHook'),
    dict(type='CheckInitialWeightsHook'),
    dict(type='ChannelsLastHook'),
]
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
auto_scale_lr = dict(base_batch_size=8)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=150))
instance_dir = 'data/coco_mini/voc20/SegmentationObject'
test_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir=instance_dir),
]
val_evaluator = test_evaluator
