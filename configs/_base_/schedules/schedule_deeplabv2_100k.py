# The schedule for COCO: five times the iterations.
_base_ = './schedule_deeplabv2_20k.py'

max_iters = 100_000
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=10_000)
