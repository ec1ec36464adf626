# SIPE on WideResNet-38; the side convolutions see stages b3, b4, b5 and b7.
_base_ = ['./cam_r38.py']
model = dict(head=dict(type='SIPEHead', side_in_channels=(256, 512, 1024, 4096)))
