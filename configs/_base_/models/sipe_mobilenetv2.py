# SIPE on MobileNetV2 at output stride 16.
_base_ = ['./cam_mobilenetv2.py']
model = dict(
    head=dict(
        type='SIPEHead',
        num_classes={{_base_.num_classes}},
        in_channels=320,
        side_in_channels=(24, 32, 96, 320),
        side_channels=(128, 128, 256, 256),
        bg_attenuation=0.5,
        loss_weights=dict(cls=1.0, gsc=1.0),
    )
)
