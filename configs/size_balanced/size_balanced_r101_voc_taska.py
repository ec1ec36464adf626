# Task A of size_balanced_r101_voc_sb.py alone, at that config's rates, after which fisher.pth, with the
# Fisher information and the weights, is written beside the checkpoints. size_balanced_r101_voc_taskb.py goes
# on from there, as often and with as many settings as wanted.
_base_ = './size_balanced_r101_voc_sb.py'

max_iters = 15_000
custom_hooks = [
    dict(
        type='EWCHook',
        task_b_begin=max_iters,
        save_fisher='fisher.pth',
        fisher_losses=['decode_max.loss_ce'],
        num_workers=4,
    ),
]
param_scheduler = [dict(type='PolyLR', power=0.9, end=2 * max_iters, by_epoch=False)]
train_cfg = dict(max_iters=max_iters)
