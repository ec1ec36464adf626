# DeepLabV2 on MobileNetV2 with plain cross-entropy for the training images of voc_mini (149) and of
# coco_mini/voc20 (77), sized for two CPU cores; from ImageNet weights. Tested on the 78 images of
# coco_mini/voc20 val, whose instances are known. The row that the size-balanced losses are compared with;
# its first half is task A of size_balanced_mobilenetv2_mini_sb.py.
_base_ = '../deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py'

data_root = 'data/coco_mini/voc20'
crop_size = (225, 225)
voc_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
coco_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResize', scale=(640, 640), ratio_range=(0.5, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
coco_images = dict(
    type='VOC12WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
model = dict(data_preprocessor=dict(size=crop_size))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WSSSConcatDataset',
        datasets=[
            dict(
                type='VOC12WSSSDataset',
                data_root='data/voc_mini',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
                ann_file='ImageSets/Segmentation/train.txt',
                expected_count=149,
                pipeline=voc_pipeline,
            ),
            dict(
                coco_images,
                ann_file='ImageSets/Segmentation/train.txt',
                expected_count=77,
                pipeline=coco_pipeline,
            ),
        ],
    )
)
val_dataloader = dict(
    dataset=dict(coco_images, ann_file='ImageSets/Segmentation/val.txt', expected_count=78)
)
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(interval=150))
instance_dir = 'data/coco_mini/voc20/SegmentationObject'
test_evaluator = [
    dict(type='MeanIoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir=instance_dir),
]
val_evaluator = test_evaluator
