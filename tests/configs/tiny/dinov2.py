# A linear layer on a small DINOv2, all of it from scratch on pseudo masks of the generated demo images.
_base_ = [
    '../../../configs/_base_/models/linear_dinov2-s.py',
    '../../../configs/_base_/datasets/demo_seg.py',
    '../../../configs/_base_/schedules/schedule_tiny_demo_seg.py',
]
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
