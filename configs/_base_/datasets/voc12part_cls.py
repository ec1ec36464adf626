# Part of PASCAL VOC 2012: 2,899 images of train_aug. 701 of them (train_voc12.txt) belong to VOC's train and
# have masks with borders: on them maps are scored. Image-level labels: the classes in the masks.
_base_ = './localizer.py'
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
    expected_count=2899,
)
train_dataloader = dict(num_workers=1, dataset=dict(images, pipeline=train_pipeline))
map_dataset = images
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        images,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        ann_file='ImageSets/Segmentation/train_voc12.txt',
        expected_count=701,
    ),
)
test_dataloader = val_dataloader
