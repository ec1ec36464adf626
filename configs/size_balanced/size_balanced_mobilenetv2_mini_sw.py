# As size_balanced_mobilenetv2_mini_ce.py, with the size-weighted cross-entropy L_sw from the start. Like
# the plain one it is averaged over the pixels that are not ignored, so that only the weights differ.
_base_ = './size_balanced_mobilenetv2_mini_ce.py'

tau = 20.0
total = 'class'
model = dict(
    decode_head=dict(
        loss_decode=dict(
            _delete_=True,
            type='SizeBalancedCrossEntropyLoss',
            tau=tau,
            total=total,
            avg_non_ignore=True,
        )
    )
)
