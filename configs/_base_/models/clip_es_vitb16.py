# CLIP-ES on CLIP's ViT-B/16. There is nothing to train: make_maps.py takes the weights that
# tools/model_converters/clip.py wrote.
num_classes = 20  # foreground classes of the dataset
model = dict(
    type='CLIPESLocalizer',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321579, 70.32316305],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='CLIPVisionTransformer',
        img_size=(224, 224),
        patch_size=16,
        embed_dims=768,
        num_layers=12,
        num_heads=12,
        output_dims=512,
    ),
    head=dict(
        type='CLIPTextHead',
        num_classes=num_classes,
        class_texts='auto',  # the dataset's class names; or a list of your own
        sharper=dict(),  # class name: longer text
        background_texts=[
            'ground', 'land', 'grass', 'tree', 'building', 'wall', 'sky', 'lake', 'water', 'river', 'sea',
            'railway', 'railroad', 'keyboard', 'helmet', 'cloud', 'house', 'mountain', 'ocean', 'road',
            'rock', 'street', 'valley', 'bridge', 'sign',
        ],
        template='a clean origami {}.',
    ),
    affinity_blocks=8,
    box_threshold=0.4,
    test_cfg=dict(scales=(1.0,), flip=False, resize='uint8'),
)  # fmt: skip
mask_cfg = dict(
    refiners=[dict(type='DenseCRF'), dict(type='ConfidenceThreshold', min_confidence=0.95)]
)
