# DeepLabV2 on EfficientNet-Lite2 with the size-weighted cross-entropy L_sw. Like the plain one it is averaged
# over the pixels that are not ignored, so that only the weights differ.
_base_ = '../deeplabv2/deeplabv2_lite2_voc12part_pseudo.py'

tau = 20.0
model = dict(
    decode_head=dict(
        loss_decode=dict(
            _delete_=True, type='SizeBalancedCrossEntropyLoss', tau=tau, avg_non_ignore=True
        )
    )
)
