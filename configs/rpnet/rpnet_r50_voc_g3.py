# Table VII: three images a group. Five groups make 15 images instead of 16, hence more iterations.
_base_ = ['./rpnet_r50_voc.py']
max_iters = 3525
train_dataloader = dict(batch_size=5, dataset=dict(group_size=3))
auto_scale_lr = dict(base_batch_size=5)
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0.0, begin=0, end=max_iters, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
