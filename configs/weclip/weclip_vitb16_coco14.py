# WeCLIP, COCO 2014, 80 classes, CLIP's ViT-B/16; tested on the val images that carry labels, else as
# weclip_vitb16_voc.py.
_base_ = ['../_base_/weclip.py', '../_base_/datasets/coco14_cls.py']
num_classes = 80
max_iters = 80_000
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
    decode_head=dict(num_classes=num_classes + 1),
    selected_blocks=10,
    box_threshold=0.7,
)  # fmt: skip
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0.0, begin=1500, end=max_iters, by_epoch=False),
]
train_cfg = dict(max_iters=max_iters)
train_dataloader = dict(
    batch_size=4,
    sampler=dict(infinite=True),
    dataset=dict(pipeline={{_base_.weclip_train_pipeline}}),
)
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path='val2014', seg_map_path='masks/val2014'),
        ann_file='val.txt',
        labels=None,
        indices=None,
        pipeline={{_base_.weclip_val_pipeline}},
    )
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='MeanIoUMetric', iou_metrics=['mIoU'])]
test_evaluator = val_evaluator
