# MCTformer+, COCO 2014, 80 classes, DeiT-S/16; else as mctformer_deit-s_voc.py.
_base_ = [
    '../_base_/models/mctformer_deit-s.py',
    '../_base_/datasets/coco14_cls.py',
    '../_base_/schedules/schedule_mctformer_45e.py',
    '../_base_/default_runtime.py',
]
num_classes = 80
# Maps at a quarter of the image size, as CAM's.
model = dict(
    backbone=dict(num_classes=num_classes),
    head=dict(num_classes=num_classes),
    test_cfg=dict(stride=4),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=448, max_size=768),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(448, 448)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.4)])
