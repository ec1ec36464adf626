# CLIP-ES on the generated demo images with a tiny network, to try the commands:
# its weights are random and see nothing.
_base_ = [
    '../_base_/models/clip_es_vitb16.py',
    '../_base_/datasets/demo_cls.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        img_size=(32, 32),
        embed_dims=32,
        num_layers=3,
        num_heads=2,
        output_dims=24,
    ),
    head=dict(
        num_classes='auto',
        background_texts=['ground', 'sky'],
        text_encoder=dict(embed_dims=32, num_layers=2, num_heads=2, output_dims=24),
    ),
    affinity_blocks=2,
)
