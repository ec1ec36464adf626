# SEAM on the part of VOC, EfficientNet-Lite2; all but head and threshold as in the CAM config.
_base_ = '../cam/cam_lite2_voc12part.py'
model = dict(head=dict(type='SEAMHead', side_in_channels=(48, 120)))
# CAM's thresholds need not suit means over the image; this one is found without masks.
mask_cfg = dict(_delete_=True, refiners=[dict(type='BackgroundThreshold', threshold='chosen')])
