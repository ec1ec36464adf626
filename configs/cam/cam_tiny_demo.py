# CAM on the generated demo images: a quarter-width ResNet-18 with output stride 8, from scratch. Frozen
# statistics, the rates of a pretrained network and SGD without momentum do not train that in so few steps,
# hence batch statistics and Adam.
_base_ = [
    '../_base_/datasets/demo_cls.py',
    '../_base_/iter_runtime.py',
]

num_classes = 5
model = dict(
    type='ImageLevelClassifier',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        bgr_to_rgb=True,
        size=(144, 144),
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
        norm_eval=False,
        style='pytorch',
    ),
    head=dict(type='CAMHead', num_classes=num_classes, in_channels=128),
    test_cfg=dict(scales=(1.0, 0.5, 1.5), flip=True),
)
max_iters = 600
train_dataloader = dict(sampler=dict(infinite=True))
optim_wrapper = dict(
    type='BFloat16OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=100, by_epoch=False),
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=100, end=max_iters, by_epoch=False),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=16)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=200))
custom_hooks = [dict(type='ChannelsLastHook')]

# CAM has no background of its own: masks need a threshold. This one is a customary value, chosen on nothing.
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.3)])
