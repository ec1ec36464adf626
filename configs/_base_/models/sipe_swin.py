# SIPE on Swin-T.
_base_ = ['./cam_swin.py']
model = dict(head=dict(type='SIPEHead', side_in_channels=(96, 192, 384, 768)))
