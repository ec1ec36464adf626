# A small PSPNet, from scratch; data and schedule are those of recipe.py.
_base_ = '../../../configs/pspnet/pspnet_r101_voc_pseudo.py'
pretrained = None
initial_weights = 'scratch'
norm_cfg = dict(type='BN')
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(depth=18, stem_channels=16, base_channels=16, norm_cfg=norm_cfg, init_cfg=None),
    decode_head=dict(in_channels=128, channels=32, norm_cfg=norm_cfg, num_classes=6),
    auxiliary_head=dict(in_channels=64, channels=16, norm_cfg=norm_cfg, num_classes=6),
)
