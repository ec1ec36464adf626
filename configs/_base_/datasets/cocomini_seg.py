# 155 images of COCO 2017 with the 20 classes of PASCAL VOC and instance maps: 77 train, 78 val.
_base_ = './segmenter.py'
data_root = 'data/coco_mini/voc20'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    # 0.5 .. 1.5 of a long side of 640, which is that of nearly all COCO images.
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size={{_base_.crop_size}}),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
images = dict(
    type='VOC12WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        images,
        ann_file='ImageSets/Segmentation/train.txt',
        expected_count=77,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(images, ann_file='ImageSets/Segmentation/val.txt', expected_count=78),
)
test_dataloader = val_dataloader
