# Part of PASCAL VOC 2012: 2,899 images of train_aug, of which 701 (train_voc12.txt) belong to VOC's train and
# have masks with borders, and all 1,449 of val. Image-level labels: the classes in the masks.
data_root = 'data/voc12_part'
crop_size = (224, 224)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=160, max_size=320),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
images = dict(
    type='VOC12WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages'),
    ann_file='ImageSets/Segmentation/train.txt',
    labels=dict(source='masks', path='SegmentationClassAug'),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(images, expected_count=2899, pipeline=train_pipeline),
)

# make_maps.py runs over this: the training images at their own size, no masks. A missing image is
# reported at the end, not at the start.
map_dataset = dict(
    images,
    expected_count=2899,
    check_files='lazy',
    test_mode=True,
    pipeline=[dict(type='LoadImage'), dict(type='PackWSSSInputs')],
)

# The table of the maps' mIoU uses the ground truth of training images.
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        images,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        ann_file='ImageSets/Segmentation/train_voc12.txt',
        expected_count=701,
        test_mode=True,
        pipeline=[dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')],
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
