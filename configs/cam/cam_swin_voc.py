# CAM, PASCAL VOC 2012, Swin-T, output stride 32 as pretrained; all of it is trained. Initial weights: mmseg's
# converted ImageNet-1k file, which mmseg's configs name.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_wsss_adamw_5e.py',
    '../_base_/default_runtime.py',
]
pretrained = 'https://mmassets.onedl.ai/mmsegmentation/v0.5/pretrain/swin/swin_tiny_patch4_window7_224_20220317-1cdeb081.pth'
model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        embed_dims=96,
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        window_size=7,
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    head=dict(in_channels=768),
    freeze_norm=False,
    frozen_modules=('norm0', 'norm1', 'norm2'),  # of outputs that no loss reaches
)
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.15)])
