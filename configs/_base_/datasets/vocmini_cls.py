# 170 images of PASCAL VOC 2012 (149 train, 21 val) in VOC layout; image-level labels = the classes in
# the masks.
_base_ = './localizer.py'
data_root = 'data/voc_mini'
crop_size = (288, 288)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=200, max_size=400),
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
    expected_count=149,
)
train_dataloader = dict(num_workers=1, dataset=dict(images, pipeline=train_pipeline))
map_dataset = images
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        images, data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug')
    ),
)
test_dataloader = val_dataloader
