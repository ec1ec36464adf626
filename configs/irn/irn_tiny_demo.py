# IRNet on the generated demo images, on the frozen backbone of the SIPE localizer.
_base_ = ['../_base_/datasets/demo_cls.py', '../_base_/iter_runtime.py']

pretrained = 'work_dirs/sipe_tiny_demo/iter_600.pth'
pseudo_mask_dir = 'work_dirs/irn_tiny_demo_labels'  # folder of confident labels
model = dict(
    type='IRNet',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        bgr_to_rgb=True,
        size=(128, 128),
        seg_pad_val=255,
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=16,
        base_channels=16,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 1, 1),
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.'),
    ),
    in_channels=(16, 16, 32, 64, 128),
    stem='maxpool',
    edge=dict(channels=16, groups=4),
    displacement=dict(
        channels=(16, 16, 32, 32, 32),
        groups=(4, 4, 8, 8, 8),
        join_channels=32,
        join_groups=8,
    ),
    radius=5,
    test_size=(128, 128),
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResizeLongSide', min_size=96, max_size=192),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(128, 128)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(
    sampler=dict(infinite=True),
    dataset=dict(labels=None, pseudo_mask_dir=pseudo_mask_dir, pipeline=train_pipeline),
)
val_dataloader = None
val_evaluator = None
test_dataloader = None
test_evaluator = None

max_iters = 150
auto_scale_lr = dict(enable=False, base_batch_size=16)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=max_iters))
custom_hooks = [dict(type='IRNetCalibrationHook')]

mask_cfg = dict(
    refiners=[
        dict(
            type='RandomWalk',
            config='configs/irn/irn_tiny_demo.py',
            checkpoint='work_dirs/irn_tiny_demo/iter_150.pth',
        )
    ]
)
