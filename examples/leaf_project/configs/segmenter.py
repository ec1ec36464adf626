# The project's backbone and dataset, a head of mmseg; of mmwsss the loss and the metric.
_base_ = ['./runtime.py']
data_root = {{_base_.data_root}}
dataset = dict(
    type='LeafDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5] * 3,
        std=[64.0] * 3,
        bgr_to_rgb=True,
        size=(96, 96),
        seg_pad_val=255,
    ),
    backbone=dict(type='LeafNet'),
    decode_head=dict(
        type='FCNHead',
        in_channels=128,
        channels=32,
        num_convs=1,
        num_classes=6,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='SizeBalancedCrossEntropyLoss', tau=5.0),
    ),
    test_cfg=dict(mode='whole'),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        **dataset,
        ann_file='ImageSets/Segmentation/train.txt',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomCrop', crop_size=(96, 96)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        ann_file='ImageSets/Segmentation/val.txt',
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    ),
)
val_evaluator = [dict(type='MeanIoUMetric'), dict(type='IAmIoUMetric')]
