# A small SegNeXt, from scratch; data and schedule are those of recipe.py.
_base_ = '../../../configs/segnext/segnext_mscan-b_voc_pseudo.py'
pretrained = None
initial_weights = 'scratch'
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(
        embed_dims=[16, 32, 64, 128],
        mlp_ratios=[2, 2, 2, 2],
        depths=[1, 1, 2, 1],
        drop_path_rate=0.0,
        norm_cfg=dict(type='BN'),
        init_cfg=None,
    ),
    decode_head=dict(
        in_channels=[32, 64, 128],
        channels=32,
        ham_channels=32,
        norm_cfg=dict(num_groups=8),
        num_classes=6,
    ),
)
