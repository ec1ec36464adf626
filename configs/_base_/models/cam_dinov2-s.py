# CAM on the patch tokens of DINOv2's ViT-S/14, frozen. Initial weights: the published file, converted while
# it is read.
_base_ = ['./cam_r50.py']
pretrained = 'data/weights/dinov2_vits14_pretrain.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='DINOv2VisionTransformer',
        out_indices=(2, 5, 8, 11),
        frozen=True,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(in_channels=384),
    freeze_norm=False,
    frozen_modules=(),
)
