# A small SegFormer, from scratch; data and schedule are those of recipe.py.
_base_ = '../../../configs/segformer/segformer_mit-b2_voc_pseudo.py'
pretrained = None
initial_weights = 'scratch'
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(
        embed_dims=16,
        num_layers=[1, 1, 1, 1],
        num_heads=[1, 2, 4, 8],
        drop_path_rate=0.0,
        init_cfg=None,
    ),
    decode_head=dict(
        in_channels=[16, 32, 64, 128], channels=32, norm_cfg=dict(type='BN'), num_classes=6
    ),
)
