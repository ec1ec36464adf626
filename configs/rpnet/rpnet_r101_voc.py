# Table III.
_base_ = ['./rpnet_r50_voc.py']
pretrained = 'torchvision://resnet101'  # or a file with torchvision's names
model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint=pretrained)))
