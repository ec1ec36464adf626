# As size_balanced_mobilenetv2_mini_ce.py, with the size-balanced cross-entropy L_sb: task A is its first
# half, task B goes on with L_sw and the EWC penalty. As many iterations in all as the other two.
_base_ = './size_balanced_mobilenetv2_mini_ce.py'

tau = 20.0
total = 'class'
ewc_strength = 10.0
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=150,
        task_b_loss=dict(
            decode_head=dict(
                type='SizeBalancedCrossEntropyLoss', tau=tau, total=total, avg_non_ignore=True
            )
        ),
    ),
]
