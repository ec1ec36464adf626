# EfficientNet-Lite2 on a few hundred photos, on a CPU: the same minutes whatever their number.
_base_ = '../iter_runtime.py'
max_iters = 60
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={'head.': dict(lr_mult=10.0)}),
)
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
custom_hooks = [dict(type='ChannelsLastHook')]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=20))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
