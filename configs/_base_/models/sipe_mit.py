# SIPE on MiT-B1.
_base_ = ['./cam_mit.py']
model = dict(head=dict(type='SIPEHead', side_in_channels=(64, 128, 320, 512)))
