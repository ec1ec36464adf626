# A small Segmenter, from scratch; data and schedule are those of recipe.py.
_base_ = '../../../configs/segmenter/segmenter_vit-s_voc_pseudo.py'
pretrained = None
initial_weights = 'scratch'
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(
        img_size=(128, 128),
        patch_size=8,
        embed_dims=64,
        num_layers=4,
        num_heads=2,
        drop_path_rate=0.0,
        init_cfg=None,
    ),
    decode_head=dict(
        in_channels=64, channels=64, embed_dims=64, num_layers=1, num_heads=2, num_classes=6
    ),
)
