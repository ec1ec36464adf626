# A small Segmenter from scratch on pseudo masks of the generated demo images.
_base_ = [
    '../../../configs/_base_/models/segmenter_vit-s.py',
    '../../../configs/_base_/datasets/demo_seg.py',
    '../../../configs/_base_/schedules/schedule_tiny_demo_seg.py',
]
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
# Attention from scratch diverges at the convolutional nets' rate.
optim_wrapper = dict(optimizer=dict(lr=5e-4))
