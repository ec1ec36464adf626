# SegFormer-B2 on pseudo masks of PASCAL VOC 2012 with the size-balanced cross-entropy L_sb: cross-entropy
# until iteration 20,000, then L_sw and the EWC penalty. Optimizer and rates are SegFormer's, for 16 images
# per step; the number of iterations, `tau`, `ewc_strength` and the switch are ours.
_base_ = [
    '../_base_/models/segformer_mit-b2.py',
    '../_base_/datasets/voc12aug_seg.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]

tau = 10.0
ewc_strength = 1e4
max_iters = 40_000
crop_size = (512, 512)
instance_dir = 'data/VOCdevkit/VOC2012/SegmentationObject'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackWSSSInputs'),
]
model = dict(decode_head=dict(num_classes=21))
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys=dict(
            pos_block=dict(decay_mult=0.0), norm=dict(decay_mult=0.0), head=dict(lr_mult=10.0)
        )
    ),
)
custom_hooks = [
    dict(type='IterationSeedHook'),
    dict(type='CheckNumClassesHook'),
    dict(type='CheckInitialWeightsHook'),
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=20_000,
        task_b_loss=dict(decode_head=dict(type='SizeBalancedCrossEntropyLoss', tau=tau)),
        save_fisher='fisher.pth',
        num_workers=4,
    ),
]
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0.0, begin=1500, end=max_iters, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=4000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=16)
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir=instance_dir),
]
test_evaluator = val_evaluator
