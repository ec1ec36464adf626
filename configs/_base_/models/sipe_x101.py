# SIPE on ResNeXt-101 32x8d.
_base_ = ['./cam_x101.py']
model = dict(head=dict(type='SIPEHead', side_in_channels=(256, 512, 1024, 2048)))
