# CLIP-ES on the generated demo images with a small CLIP, which .dev/clip_demo.py trains on their labels.
_base_ = [
    '../_base_/models/clip_es_vitb16.py',
    '../_base_/datasets/demo_cls.py',
    '../_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(144, 144)),
    backbone=dict(
        img_size=(144, 144),
        patch_size=8,
        embed_dims=64,
        num_layers=4,
        num_heads=4,
        output_dims=24,
    ),
    head=dict(
        num_classes='auto',
        background_texts=['ground', 'sky'],
        text_encoder=dict(embed_dims=32, num_layers=2, num_heads=2, output_dims=24),
    ),
    affinity_blocks=2,
)
