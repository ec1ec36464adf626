# SIPE on ViT-S/16; the side convolutions see four layers of the same grid.
_base_ = ['./cam_vit.py']
model = dict(head=dict(type='SIPEHead', side_in_channels=(384, 384, 384, 384)))
