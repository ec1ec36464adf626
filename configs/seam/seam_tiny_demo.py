# SEAM on the generated demo images; all but the head as in the CAM config.
_base_ = '../cam/cam_tiny_demo.py'
model = dict(
    head=dict(
        type='SEAMHead',
        side_in_channels=(32, 64),
        side_channels=(16, 16),
        correlation_channels=32,
        view_scale=0.5,  # the images are small
    )
)
