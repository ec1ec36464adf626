# 170 images of PASCAL VOC 2012 (149 train, 21 val) in VOC layout; image-level labels = the classes in
# the masks.
data_root = 'data/voc_mini'
dataset_type = 'VOC12WSSSDataset'
crop_size = (288, 288)
labels = dict(source='masks', path='SegmentationClassAug')

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=200, max_size=400),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
map_pipeline = [dict(type='LoadImage'), dict(type='PackWSSSInputs')]
val_pipeline = [dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')]

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/Segmentation/train.txt',
        labels=labels,
        expected_count=149,
        pipeline=train_pipeline,
    ),
)

# make_maps.py runs over this: the training images at their own size, no masks. A missing image is
# reported at the end, not at the start.
map_dataset = dict(
    type=dataset_type,
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages'),
    ann_file='ImageSets/Segmentation/train.txt',
    labels=labels,
    expected_count=149,
    check_files='lazy',
    test_mode=True,
    pipeline=map_pipeline,
)

# The table of the maps' mIoU uses the ground truth of the training images.
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        ann_file='ImageSets/Segmentation/train.txt',
        labels=labels,
        expected_count=149,
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
