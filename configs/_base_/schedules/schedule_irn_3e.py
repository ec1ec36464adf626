# IRNet's recipe: 3 epochs of SGD, the displacement branch at ten times the edge branch's rate, poly 0.9 per
# iteration. The released code hands the weight decay to the optimizer's momentum slot, hence this momentum.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(
        custom_keys={'edge.': dict(lr_mult=1.0), 'displacement.': dict(lr_mult=10.0)}
    ),
)
max_epochs = 3
param_scheduler = [
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=0.0,
        begin=0,
        end=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
# The rates above belong to a global batch of 32; switch on with --auto-scale-lr.
auto_scale_lr = dict(enable=False, base_batch_size=32)
