# A linear layer on a small DINOv2, all of it from scratch; data and schedule are those of recipe.py.
_base_ = '../../../configs/dinov2/linear_dinov2-s_voc_pseudo.py'
pretrained = None
initial_weights = 'scratch'
model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(
        img_size=126,
        embed_dims=32,
        num_layers=4,
        num_heads=2,
        num_register_tokens=4,
        out_indices=(0, 1, 2, 3),
        frozen=False,
        init_cfg=None,
    ),
    decode_head=dict(in_channels=32, channels=32, num_classes=6),
)
