# SIPE, PASCAL VOC 2012, Swin-T.
_base_ = '../cam/cam_swin_voc.py'
model = dict(head=dict(type='SIPEHead', side_in_channels=(96, 192, 384, 768)))
mask_cfg = dict(refiners=[])
