# VOC 2012 val (1,449 images) and PASCAL-B in one test, by mIoU and IA-mIoU, for segmenters of VOC's classes:
#
#   python tools/test.py CONFIG CHECKPOINT --test-config configs/test_sets/voc_pascal_b.py
#
# PASCAL-B is made by tools/dataset_converters/pascal_b.py.
pipeline = [dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')]
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VOC12WSSSDataset',
        data_root='data/VOCdevkit/VOC2012',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        test_mode=True,
        pipeline=pipeline,
    ),
)
test_evaluator = [
    dict(type='MeanIoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir='data/VOCdevkit/VOC2012/SegmentationObject'),
]
test_cfg = dict(
    type='MultiDatasetTestLoop',
    name='voc_val',
    others=[
        dict(
            name='pascal_b',
            dataloader=dict(
                batch_size=1,
                num_workers=4,
                persistent_workers=True,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(
                    type='PascalBDataset',
                    data_root='data/pascal_b',
                    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                    test_mode=True,
                    pipeline=pipeline,
                ),
            ),
            evaluator=[
                dict(type='MeanIoUMetric', iou_metrics=['mIoU']),
                dict(type='IAmIoUMetric', instance_dir='data/pascal_b/SegmentationObject'),
            ],
        )
    ],
)
