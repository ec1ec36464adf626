# MCTformer+ on DeiT-S/16. Initial weights: DeiT's own file, converted while it is read.
_base_ = ['./cam_r50.py']
num_classes = 20  # foreground classes of the dataset
pretrained = 'https://dl.fbaipublicfiles.com/deit/deit_small_patch16_224-cd65a155.pth'
model = dict(
    data_preprocessor=dict(size=(448, 448)),
    backbone=dict(
        _delete_=True,
        type='MCTVisionTransformer',
        num_classes=num_classes,
        img_size=(448, 448),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(_delete_=True, type='MCTformerHead', num_classes=num_classes, in_channels=384),
    freeze_norm=False,
    frozen_modules=(),
    test_cfg=dict(scales=(1.0, 0.75, 1.25)),
)
