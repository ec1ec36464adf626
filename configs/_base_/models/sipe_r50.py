# SIPE on ResNet-50 at output stride 16. The head sees all four stages; stages 1 and 2 get no gradient.
_base_ = ['./cam_r50.py']
model = dict(
    head=dict(
        type='SIPEHead',
        num_classes={{_base_.num_classes}},
        in_channels=2048,
        side_in_channels=(256, 512, 1024, 2048),
        side_channels=(128, 128, 256, 256),
        bg_attenuation=0.5,
        loss_weights=dict(cls=1.0, gsc=1.0),
    )
)
