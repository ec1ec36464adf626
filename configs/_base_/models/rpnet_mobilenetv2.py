# RPNet on MobileNetV2 at output stride 16. Of the four outputs of this backbone, the second and the fourth
# give prototypes.
_base_ = ['./cam_mobilenetv2.py']
model = dict(
    head=dict(
        type='RPNetHead',
        num_classes={{_base_.num_classes}},
        in_channels=320,
        block_indices=(1, 3),
        block_channels=(32, 320),
    )
)
