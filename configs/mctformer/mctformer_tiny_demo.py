# MCTformer+ on the generated demo images: a small transformer, from scratch.
_base_ = '../cam/cam_tiny_demo.py'
num_classes = 5
model = dict(
    backbone=dict(
        _delete_=True,
        type='MCTVisionTransformer',
        num_classes=num_classes,
        img_size=(144, 144),
        patch_size=8,
        embed_dims=64,
        num_layers=4,
        num_heads=4,
        drop_path_rate=0.0,
    ),
    head=dict(_delete_=True, type='MCTformerHead', num_classes=num_classes, in_channels=64),
)
