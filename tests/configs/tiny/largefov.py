# DeepLab-LargeFOV instead of DeepLabV2, everything else as in its config.
_base_ = '../../../configs/deeplabv2/deeplabv2_tiny_demo_pseudo.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='LargeFOVHead',
        in_channels=128,
        in_index=0,
        num_classes=6,
        hidden_channels=64,
        channels=64,
        dilation=6,
        dropout_ratio=0.1,
        loss_decode=dict(type='GlobalCrossEntropyLoss'),
    )
)
