# SIPE, PASCAL VOC 2012, on DINOv2's ViT-S/14.
# The side convolutions see four layers of the same grid.
_base_ = './cam_dinov2-s_voc.py'
model = dict(head=dict(type='SIPEHead', side_in_channels=(384, 384, 384, 384)))
mask_cfg = dict(refiners=[])
