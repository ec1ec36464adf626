# SIPE, PASCAL VOC 2012, MiT-B1.
_base_ = '../cam/cam_mit_voc.py'
model = dict(head=dict(type='SIPEHead', side_in_channels=(64, 128, 320, 512)))
mask_cfg = dict(refiners=[])
