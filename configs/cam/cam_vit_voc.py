# CAM, PASCAL VOC 2012, on the patch tokens of ViT-S/16; all of it is trained. Initial weights: mmseg's
# converted ImageNet file, which mmseg's Segmenter configs name; its inputs are normalised with 127.5.
# `patch_bias`: the file has a bias for the patch projection, which mmseg leaves out by default.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_adamw_5e.py',
    '../_base_/default_runtime.py',
]
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/segmenter/vit_small_p16_384_20220308-410f6037.pth'
model = dict(
    data_preprocessor=dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]),
    backbone=dict(
        _delete_=True,
        type='GridVisionTransformer',
        img_size=(384, 384),
        patch_size=16,
        patch_bias=True,
        embed_dims=384,
        num_layers=12,
        num_heads=6,
        out_indices=(2, 5, 8, 11),
        drop_path_rate=0.1,
        final_norm=True,
        norm_cfg=dict(type='LN', eps=1e-6),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(in_channels=384),
    freeze_norm=False,
    frozen_modules=(),
)
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
