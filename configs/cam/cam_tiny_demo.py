# CAM on the generated demo images, from scratch. Frozen statistics, the rates of a pretrained network and
# SGD without momentum do not train a network from scratch in so few steps, hence batch statistics and Adam.
_base_ = [
    '../_base_/models/cam_tiny.py',
    '../_base_/datasets/demo_cls.py',
    '../_base_/iter_runtime.py',
]

max_iters = 600
train_dataloader = dict(num_workers=1, sampler=dict(infinite=True))
val_dataloader = dict(num_workers=1)
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
custom_hooks = [
    dict(type='IterationSeedHook'),
    dict(type='CheckNumClassesHook'),
    dict(type='ChannelsLastHook'),
]

# CAM has no background of its own: masks need a threshold. This one is a customary value, chosen on nothing.
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.3)])
