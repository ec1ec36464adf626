# `custom_imports` is all it takes: `mmwsss` puts its components into mmseg's registries.
custom_imports = dict(imports=['mmwsss', 'leaves'], allow_failed_imports=False)
default_scope = 'mmseg'
data_root = 'data/demo'
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=200, val_interval=200)
val_cfg = dict(type='ValLoop')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=200))
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
