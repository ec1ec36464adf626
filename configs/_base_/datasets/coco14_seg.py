# COCO 2014 for a segmenter: 82,081 training images, tested on the 40,137 val images that carry labels;
# masks and lists are made by tools/dataset_converters/coco14.py.
# pseudo_mask_dir: folder of pseudo masks to train on. None: the true masks.
data_root = 'data/coco2014'
pseudo_mask_dir = None
dataset_type = 'COCO14WSSSDataset'
crop_size = (321, 321)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    # 0.5 .. 1.5 of a long side of 640, which is that of nearly all COCO images.
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
val_pipeline = [dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')]

train_dataloader = dict(
    batch_size=10,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True, infinite=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='train2014', seg_map_path='masks/train2014'),
        ann_file='train.txt',
        pseudo_mask_dir=pseudo_mask_dir,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='val2014', seg_map_path='masks/val2014'),
        ann_file='val.txt',
        test_mode=True,
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
