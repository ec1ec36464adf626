# PASCAL VOC 2012, train_aug (10,582 images) for a segmenter; tested on val (1,449).
_base_ = './segmenter.py'
data_root = 'data/VOCdevkit/VOC2012'
train_dataloader = dict(
    dataset=dict(
        type='VOC12WSSSDataset',
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        ann_file='ImageSets/Segmentation/train_aug.txt',
    )
)
val_dataloader = dict(
    dataset=dict(
        type='VOC12WSSSDataset',
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
    )
)
test_dataloader = val_dataloader
