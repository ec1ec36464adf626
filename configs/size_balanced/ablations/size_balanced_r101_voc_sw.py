# size_balanced_r101_voc_sb.py with the size-weighted cross-entropy L_sw from the start, and without EWC.
_base_ = '../size_balanced_r101_voc_sb.py'

tau = 5.0
total = 'image'
normalize = 'weights'
model = dict(
    decode_head=dict(
        loss_decode=dict(
            _delete_=True,
            type='SizeBalancedCrossEntropyLoss',
            tau=tau,
            total=total,
            normalize=normalize,
        )
    )
)
custom_hooks = []
