# Task B alone, from the checkpoint and the Fisher information that size_balanced_r101_voc_taska.py left, or
# others given by --cfg-options load_from=FILE fisher_file=FILE. Without fisher_file (None) it is estimated
# from the checkpoint first. The rate begins where task A's ends, half-way of a polynomial of power 0.9.
_base_ = './size_balanced_r101_voc_sb.py'

load_from = 'work_dirs/size_balanced_r101_voc_taska/iter_15000.pth'
fisher_file = 'work_dirs/size_balanced_r101_voc_taska/fisher.pth'
max_iters = 15_000
tau = 5.0
total = 'image'
normalize = 'weights'
ewc_strength = 500.0
custom_hooks = [
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=0,
        task_b_loss=dict(
            decode_head=dict(
                type='SizeBalancedCrossEntropyLoss', tau=tau, total=total, normalize=normalize
            )
        ),
        fisher_file=fisher_file,
        fisher_losses=['decode_max.loss_ce'],
        num_workers=4,
    ),
]
optim_wrapper = dict(optimizer=dict(lr=2.5e-4 * 0.5**0.9))
train_cfg = dict(max_iters=max_iters)
