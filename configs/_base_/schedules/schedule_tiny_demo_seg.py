# Small segmenters from scratch on the demo images, on a CPU: 400 steps of 10 images. Runtime and test-time
# augmentation are in here, too.
_base_ = ['../tta.py', '../iter_runtime.py']
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=100))
max_iters = 400
optim_wrapper = dict(
    type='BFloat16OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=5e-4),
)
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=10)
