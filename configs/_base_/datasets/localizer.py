# What the datasets of localizers share. A child says where images, lists and labels are.
# fraction: part of the training images of every class, e.g. --cfg-options fraction=1/4. None: all of them.
fraction = None
crop_size = (512, 512)
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
    dataset=dict(fraction=fraction, pipeline=train_pipeline),
)

# make_maps.py runs over this: the training images at their own size, no masks. A missing image is
# reported at the end, not at the start.
map_dataset = dict(check_files='lazy', test_mode=True, pipeline=map_pipeline)

# The table of the maps' mIoU uses the ground truth of training images.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True, pipeline=val_pipeline),
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
