# Table III. ResNeXt-50, 32 groups of 4 channels.
_base_ = ['./rpnet_r50_voc.py']
pretrained = 'torchvision://resnext50_32x4d'  # or a file with torchvision's names
model = dict(
    backbone=dict(type='ResNeXt', groups=32, base_width=4, init_cfg=dict(checkpoint=pretrained))
)
