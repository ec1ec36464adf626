# 170 images of PASCAL VOC 2012 for a segmenter: 149 train, 21 val.
_base_ = './segmenter.py'
data_root = 'data/voc_mini'
images = dict(
    type='VOC12WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(images, ann_file='ImageSets/Segmentation/train.txt', expected_count=149),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(images, ann_file='ImageSets/Segmentation/val.txt', expected_count=21),
)
test_dataloader = val_dataloader
