# Any folder of images with a CSV of class names:
#
#   data/custom/images/...      .jpg, .jpeg or .png, also in subfolders
#   data/custom/labels.csv      lines "id,class;class"; the id is the file name without suffix
#   data/custom/classes.txt     one class name a line, without background
#   data/custom/train.txt       ids of the images that have a label
#
# tools/dataset_converters/generic.py writes all but the images.
data_root = 'data/custom'
dataset_type = 'WSSSDataset'
crop_size = (512, 512)
labels = dict(source='csv', path='labels.csv')

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=320, max_size=640),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
map_pipeline = [dict(type='LoadImage'), dict(type='PackWSSSInputs')]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        classes='classes.txt',
        data_root=data_root,
        data_prefix=dict(img_path='images'),
        ann_file='train.txt',
        labels=labels,
        pipeline=train_pipeline,
    ),
)

# make_maps.py runs over this. A missing image is reported at the end, not at the start.
map_dataset = dict(
    type=dataset_type,
    classes='classes.txt',
    data_root=data_root,
    data_prefix=dict(img_path='images'),
    ann_file='train.txt',
    labels=labels,
    check_files='lazy',
    test_mode=True,
    pipeline=map_pipeline,
)

# Without masks only the image labels can be scored, here on the training images themselves.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=map_dataset,
)
test_dataloader = val_dataloader

val_evaluator = [dict(type='MultiLabelMetric')]
test_evaluator = val_evaluator
