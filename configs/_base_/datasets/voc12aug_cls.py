# PASCAL VOC 2012, train_aug (10,582 images) with image-level labels from VOC's XML files.
_base_ = './localizer.py'
data_root = 'data/VOCdevkit/VOC2012'
images = dict(
    type='VOC12WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages'),
    ann_file='ImageSets/Segmentation/train_aug.txt',
    labels=dict(source='voc_xml', path='Annotations'),
)
train_dataloader = dict(dataset=images)
map_dataset = images
# VOC's train images (1,464) have masks.
val_dataloader = dict(
    dataset=dict(
        images,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/train.txt',
    )
)
test_dataloader = val_dataloader
