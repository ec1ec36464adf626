# SIPE on 2,899 training images of VOC with EfficientNet-Lite2, sized for one CPU core; all but the head as in
# the CAM config.
_base_ = '../cam/cam_lite2_voc12part.py'
model = dict(
    head=dict(
        type='SIPEHead',
        side_in_channels=(24, 48, 120, 352),
        side_channels=(128, 128, 256, 256),
        bg_attenuation=0.5,  # the paper's
    )
)
# Not the argmax with SIPE's own background map: see docs/results.md.
mask_cfg = dict(
    _delete_=True,
    refiners=[dict(type='BackgroundThreshold', threshold='chosen', replace=True)],
)
