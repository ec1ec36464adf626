# SIPE on the generated demo images, from scratch; everything but the head is as in the CAM config.
_base_ = '../cam/cam_tiny_demo.py'

model = dict(
    head=dict(
        _delete_=True,
        type='SIPEHead',
        num_classes=5,
        in_channels=128,
        side_in_channels=(16, 32, 64, 128),
        side_channels=(32, 32, 64, 64),
        valid_cell='centre',
        test_absent_classes='masked',
    )
)

# The argmax over the maps, their own background included: no threshold.
mask_cfg = dict(_delete_=True, refiners=[])
