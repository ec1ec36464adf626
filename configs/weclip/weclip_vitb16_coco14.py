# WeCLIP, COCO 2014, 80 classes, CLIP's ViT-B/16; tested on the val images that carry labels, else as
# weclip_vitb16_voc.py.
_base_ = [
    '../_base_/models/weclip_vitb16.py',
    '../_base_/datasets/coco14_cls.py',
    '../_base_/schedules/schedule_weclip_30k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
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

crop_size = (320, 320)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=320, max_size=640),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
long_side = dict(type='Resize', scale=(512, 512), keep_ratio=True)
val_pipeline = [
    dict(type='LoadImage'),
    long_side,
    dict(type='LoadMask'),
    dict(type='PackWSSSInputs'),
]
test_pipeline = [dict(type='LoadImage'), long_side, dict(type='PackWSSSInputs')]
train_dataloader = dict(
    batch_size=4, sampler=dict(infinite=True), dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img_path='val2014', seg_map_path='masks/val2014'),
        ann_file='val.txt',
        labels=None,
        indices=None,
        pipeline=val_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='MeanIoUMetric', iou_metrics=['mIoU'])]
test_evaluator = val_evaluator

# Scales 1 and 0.75 of the long side, with mirrors.
tta_pipeline = [
    dict(type='LoadImage'),
    long_side,
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=scale, keep_ratio=True) for scale in (1.0, 0.75)],
            [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in (0.0, 1.0)],
            [dict(type='LoadMask')],
            [dict(type='PackWSSSInputs')],
        ],
    ),
]
