# CAM on the generated demo images with a small transformer of DINOv2's kind, from scratch.
_base_ = '../cam/cam_tiny_demo.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='DINOv2VisionTransformer',
        img_size=(144, 144),
        patch_size=8,
        embed_dims=64,
        num_layers=4,
        num_heads=4,
        num_register_tokens=4,
        out_indices=(1, 3),
    ),
    head=dict(in_channels=64),
)
