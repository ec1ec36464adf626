# SIPE, PASCAL VOC 2012, WideResNet-38.
# The side convolutions see stages b3, b4, b5 and b7.
_base_ = '../cam/cam_r38_voc.py'
model = dict(head=dict(type='SIPEHead', side_in_channels=(256, 512, 1024, 4096)))
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
mask_cfg = dict(refiners=[])
