# DeepLabV2: SGD, poly 0.9 by iteration; weights of the head learn 10 times, its biases 20 times as fast and
# without weight decay. The learning rate is meant for 10 images per step.
max_iters = 20_000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4),
    # The longest key that occurs in a parameter's name wins.
    paramwise_cfg=dict(
        custom_keys={
            'decode_head': dict(lr_mult=10.0),
            'decode_head.convs.0.bias': dict(lr_mult=20.0, decay_mult=0.0),
            'decode_head.convs.1.bias': dict(lr_mult=20.0, decay_mult=0.0),
            'decode_head.convs.2.bias': dict(lr_mult=20.0, decay_mult=0.0),
            'decode_head.convs.3.bias': dict(lr_mult=20.0, decay_mult=0.0),
        }
    ),
)
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=10)
