# A localizer of mmwsss, SIPE, on the project's backbone; image labels come from a CSV.
_base_ = ['./runtime.py']
data_root = {{_base_.data_root}}
dataset = dict(
    type='WSSSDataset',
    classes='classes.txt',
    data_root=data_root,
    labels=dict(source='csv', path='labels.csv'),
)
model = dict(
    type='ImageLevelClassifier',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.5] * 3,
        std=[64.0] * 3,
        bgr_to_rgb=True,
        size=(128, 128),
    ),
    backbone=dict(type='LeafNet'),
    head=dict(
        type='SIPEHead',
        num_classes=5,
        in_channels=128,
        side_in_channels=(16, 32, 64, 128),
        side_channels=(16, 16, 32, 32),
    ),
    test_cfg=dict(scales=(1.0, 0.5)),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/Segmentation/train.txt',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='PaddedRandomCrop', crop_size=(128, 128)),
            dict(type='PackWSSSInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        test_mode=True,
        pipeline=[dict(type='LoadImage'), dict(type='LoadMask'), dict(type='PackWSSSInputs')],
    ),
)
val_evaluator = [dict(type='MultiLabelMetric'), dict(type='MapIoUMetric', thresholds=[0.3, 0.5])]
