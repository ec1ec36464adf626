# The demo images of tools/dataset_converters/make_demo_data.py, 128 to 160 pixels.
_base_ = './localizer.py'
data_root = 'data/demo'
crop_size = (144, 144)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=112, max_size=192),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
images = dict(
    type='WSSSDataset',
    classes='classes.txt',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages'),
    ann_file='ImageSets/Segmentation/train.txt',
    labels=dict(source='csv', path='labels.csv'),
)
train_dataloader = dict(num_workers=1, dataset=dict(images, pipeline=train_pipeline))
map_dataset = images
val_dataloader = dict(
    num_workers=1,
    dataset=dict(images, data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass')),
)
test_dataloader = val_dataloader
