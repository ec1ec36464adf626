# DeepLabV3+ on EfficientNet-Lite2 for 2,899 training images of VOC; backbone, schedule and crops are those of
# DeepLabV2 there. The head's rate is that of the lowest loss on pseudo masks of crops left out.
_base_ = '../deeplabv2/deeplabv2_lite2_voc12part_pseudo.py'
model = dict(
    backbone=dict(out_indices=(1, 6)),
    decode_head=dict(
        _delete_=True,
        type='DepthwiseSeparableASPPHead',
        in_channels=352,
        in_index=1,
        channels=128,
        dilations=(1, 6, 12, 18),
        c1_in_channels=24,
        c1_channels=32,
        num_classes=21,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=True,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    ),
)
optim_wrapper = dict(
    optimizer=dict(lr=5e-3),
    paramwise_cfg=dict(_delete_=True, custom_keys=dict(backbone=dict(lr_mult=0.02))),
)
