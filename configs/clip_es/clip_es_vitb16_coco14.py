# CLIP-ES, COCO 2014, 80 classes, CLIP's ViT-B/16, without training.
_base_ = [
    '../_base_/models/clip_es_vitb16.py',
    '../_base_/datasets/coco14_cls.py',
    '../_base_/default_runtime.py',
]
num_classes = 80
model = dict(
    head=dict(
        num_classes=num_classes,
        sharper=dict(bird='bird avian', person='person with clothes,people,human'),
        background_texts=[
            'ground', 'land', 'grass', 'tree', 'building', 'wall', 'sky', 'lake', 'water', 'river', 'sea',
            'railway', 'railroad', 'helmet', 'cloud', 'house', 'mountain', 'ocean', 'road', 'rock',
            'street', 'valley', 'bridge',
        ],
    ),
    box_threshold=0.7,
    test_cfg=dict(stride=4),
)  # fmt: skip
