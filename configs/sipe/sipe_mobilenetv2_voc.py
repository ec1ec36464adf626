# SIPE, PASCAL VOC 2012, MobileNetV2.
_base_ = '../cam/cam_mobilenetv2_voc.py'
model = dict(head=dict(type='SIPEHead', side_in_channels=(24, 32, 96, 320)))
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
mask_cfg = dict(refiners=[])
