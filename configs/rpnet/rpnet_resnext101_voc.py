# Table III. ResNeXt-101, 32 groups of 8 channels; the paper does not state the groups.
_base_ = ['./rpnet_resnext50_voc.py']
pretrained = 'torchvision://resnext101_32x8d'  # or a file with torchvision's names
model = dict(backbone=dict(depth=101, base_width=8, init_cfg=dict(checkpoint=pretrained)))
