# Part of PASCAL VOC 2012 for a segmenter: 2,899 images of train_aug, tested on all 1,449 of val.
_base_ = './segmenter.py'
data_root = 'data/voc12_part'
crop_size = (257, 257)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(400, 400), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
images = dict(
    type='VOC12WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        images,
        ann_file='ImageSets/Segmentation/train.txt',
        expected_count=2899,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(images, ann_file='ImageSets/Segmentation/val.txt', expected_count=1449),
)
test_dataloader = val_dataloader
