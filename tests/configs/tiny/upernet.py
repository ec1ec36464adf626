# A small UPerNet, from scratch; data and schedule are those of recipe.py.
_base_ = '../../../configs/upernet/upernet_swin_voc_pseudo.py'
pretrained = None
initial_weights = 'scratch'
norm_cfg = dict(type='BN')
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(
        embed_dims=16,
        depths=(1, 1, 2, 1),
        num_heads=(1, 2, 4, 8),
        window_size=4,
        drop_path_rate=0.0,
        init_cfg=None,
    ),
    decode_head=dict(in_channels=[16, 32, 64, 128], channels=32, norm_cfg=norm_cfg, num_classes=6),
    auxiliary_head=dict(in_channels=64, channels=16, norm_cfg=norm_cfg, num_classes=6),
)
