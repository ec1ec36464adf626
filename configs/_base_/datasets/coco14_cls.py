# COCO 2014, the 82,081 training images that carry labels; masks, labels and lists are made by
# tools/dataset_converters/coco14.py.
data_root = 'data/coco2014'
dataset_type = 'COCO14WSSSDataset'
crop_size = (512, 512)
labels = dict(source='json', path='labels_train.json')

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=320, max_size=640),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
map_pipeline = [dict(type='LoadImage'), dict(type='PackWSSSInputs')]
val_pipeline = [dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='train2014'),
        ann_file='train.txt',
        labels=labels,
        pipeline=train_pipeline,
    ),
)

# make_maps.py runs over this: the training images at their own size, no masks. A missing image is
# reported at the end, not at the start.
map_dataset = dict(
    type=dataset_type,
    data_root=data_root,
    data_prefix=dict(img_path='train2014'),
    ann_file='train.txt',
    labels=labels,
    check_files='lazy',
    test_mode=True,
    pipeline=map_pipeline,
)

# The table of the maps' mIoU uses the ground truth of the first 2,000 training images.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='train2014', seg_map_path='masks/train2014'),
        ann_file='train.txt',
        labels=labels,
        indices=2000,
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='MultiLabelMetric'),
    dict(
        type='MapIoUMetric',
        thresholds=[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6],
    ),
]
test_evaluator = val_evaluator
