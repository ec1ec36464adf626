# CAM on ResNeXt-101 32x8d at output stride 16.
_base_ = ['./cam_r50.py']
pretrained = 'torchvision://resnext101_32x8d'  # or a file with torchvision's names
model = dict(
    backbone=dict(
        type='ResNeXt',
        depth=101,
        groups=32,
        base_width=8,
        init_cfg=dict(checkpoint=pretrained),
    )
)
