# Localizers on voc_mini: 149 images, MobileNetV2, two CPU cores.
_base_ = ['./schedule_wsss_5e.py']
max_epochs = 10
optim_wrapper = dict(type='BFloat16OptimWrapper', optimizer=dict(lr=0.02))
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
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
