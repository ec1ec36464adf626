# WeCLIP: AdamW at 2e-3, weight decay 0.01, 30,000 steps of 4 images. Chosen here: warm-up, decay of the rate
# and what has no weight decay, as in the base.
_base_ = ['./schedule_adamw_40k.py']
max_iters = 30_000
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0.0, begin=1500, end=max_iters, by_epoch=False),
]
train_cfg = dict(max_iters=max_iters)
auto_scale_lr = dict(base_batch_size=4)
