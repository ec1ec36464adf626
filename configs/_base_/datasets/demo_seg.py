# The demo images of tools/dataset_converters/make_demo_data.py for a segmenter.
# pseudo_mask_dir: folder of pseudo masks to train on. None: the true masks.
data_root = 'data/demo'
pseudo_mask_dir = None
dataset_type = 'WSSSDataset'
crop_size = (128, 128)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    # 0.5 .. 1.5 of the images' largest long side.
    dict(type='RandomResize', scale=(160, 160), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
val_pipeline = [dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')]

train_dataloader = dict(
    batch_size=10,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True, infinite=True),
    dataset=dict(
        type=dataset_type,
        classes='classes.txt',
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/train.txt',
        pseudo_mask_dir=pseudo_mask_dir,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        classes='classes.txt',
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
