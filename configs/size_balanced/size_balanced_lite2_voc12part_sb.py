# DeepLabV2 on EfficientNet-Lite2 with the size-balanced cross-entropy L_sb: the first half (task A) with
# plain cross-entropy, the second with L_sw and the EWC penalty.
_base_ = '../deeplabv2/deeplabv2_lite2_voc12part_pseudo.py'

tau = 20.0
ewc_strength = 10.0
custom_hooks = [
    dict(type='ChannelsLastHook'),
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=300,
        task_b_loss=dict(
            decode_head=dict(type='SizeBalancedCrossEntropyLoss', tau=tau, avg_non_ignore=True)
        ),
    ),
]
