# SIPE, PASCAL VOC 2012, ViT-S/16.
# The side convolutions see four layers of the same grid.
_base_ = '../cam/cam_vit_voc.py'
model = dict(head=dict(type='SIPEHead', side_in_channels=(384, 384, 384, 384)))
mask_cfg = dict(refiners=[])
