# SIPE, PASCAL VOC 2012, ResNeXt-101 32x8d.
_base_ = '../cam/cam_x101_voc.py'
model = dict(head=dict(type='SIPEHead', side_in_channels=(256, 512, 1024, 2048)))
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
mask_cfg = dict(refiners=[])
