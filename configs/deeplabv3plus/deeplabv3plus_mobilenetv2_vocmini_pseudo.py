# DeepLabV3+ on MobileNetV2 for the 149 training images of voc_mini; backbone, schedule and crops are those of
# DeepLabV2 there.
_base_ = '../deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py'
model = dict(
    backbone=dict(out_indices=(1, 6)),
    decode_head=dict(
        _delete_=True,
        type='DepthwiseSeparableASPPHead',
        in_channels=320,
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
