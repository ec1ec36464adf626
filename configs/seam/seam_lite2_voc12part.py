# SEAM on the part of VOC, EfficientNet-Lite2; all but the head as in the CAM config.
_base_ = '../cam/cam_lite2_voc12part.py'
model = dict(head=dict(type='SEAMHead', side_in_channels=(48, 120)))
