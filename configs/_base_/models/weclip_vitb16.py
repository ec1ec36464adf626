# WeCLIP: a decoder on CLIP's ViT-B/16, frozen, trained on image labels alone. `pretrained` is the file that
# tools/model_converters/clip.py wrote. Images and texts are CLIP-ES's.
_base_ = ['./clip_es_vitb16.py']
num_classes = 20  # foreground classes of the dataset
pretrained = 'data/weights/clip_vitb16.pth'
model = dict(
    type='WeCLIP',
    data_preprocessor=dict(size=(320, 320)),
    backbone=dict(
        out_indices=list(range(11)),
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.'),
    ),
    head=dict(init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='head.')),
    decode_head=dict(
        type='WeCLIPHead',
        in_channels=[768] * 11,
        in_index=list(range(11)),
        channels=256,
        num_layers=3,
        num_heads=8,
        num_classes=num_classes + 1,
        dropout_ratio=0.1,
        radius=8,
        affinity_weight=0.1,
    ),
    selected_blocks=6,
    affinity_from=15_000,
    par_iterations=20,
    test_cfg=dict(_delete_=True, mode='whole'),
)
initial_weights = 'CLIP'
