# Localizers on voc_mini: 149 images, MobileNetV2, two CPU cores. Nine iterations an epoch are too few
# for plain SGD at rates that do not diverge, hence AdamW. With the runtime of a CPU:
# channels-last weights, bfloat16.
_base_ = '../default_runtime.py'
custom_hooks = [dict(type='ChannelsLastHook')]
max_epochs = 12
optim_wrapper = dict(
    type='BFloat16OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={'head.': dict(lr_mult=10.0)}),
)
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=16)
