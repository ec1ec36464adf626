# A small SegFormer from scratch on pseudo masks of the generated demo images.
_base_ = [
    '../../../configs/_base_/models/segformer_mit-b2.py',
    '../../../configs/_base_/datasets/demo_seg.py',
    '../../../configs/_base_/schedules/schedule_tiny_demo_seg.py',
]
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
