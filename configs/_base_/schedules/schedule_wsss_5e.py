# The localizers' recipe: 5 epochs of SGD, new layers at ten times the backbone's rate, poly 0.9 per
# iteration. momentum=0 is what the released code of IRNet and SIPE runs with: it hands the weight
# decay (1e-4) to the optimizer's momentum slot. These rates diverge at momentum 0.9.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.0, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'head.': dict(lr_mult=10.0)}),
)
max_epochs = 5
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
# The rates above belong to a global batch of 16; switch on with --auto-scale-lr.
auto_scale_lr = dict(enable=False, base_batch_size=16)
