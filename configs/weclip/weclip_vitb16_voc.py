# WeCLIP, PASCAL VOC 2012, CLIP's ViT-B/16, from image labels in one training; tested on val.
# Published: network, crop, batch, steps, AdamW, sizes of the test; chosen here: sizes of the training images.
_base_ = [
    '../_base_/models/weclip_vitb16.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_weclip_30k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]
model = dict(head=dict(sharper=dict(bird='bird avian', person='person with clothes,people,human')))

crop_size = (320, 320)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=320, max_size=640),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
long_side = dict(type='Resize', scale=(512, 512), keep_ratio=True)
val_pipeline = [
    dict(type='LoadImage'),
    long_side,
    dict(type='LoadMask'),
    dict(type='PackWSSSInputs'),
]
test_pipeline = [dict(type='LoadImage'), long_side, dict(type='PackWSSSInputs')]
train_dataloader = dict(
    batch_size=4, sampler=dict(infinite=True), dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(ann_file='ImageSets/Segmentation/val.txt', labels=None, pipeline=val_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='MeanIoUMetric', iou_metrics=['mIoU'])]
test_evaluator = val_evaluator

# Scales 1 and 0.75 of the long side, with mirrors.
tta_pipeline = [
    dict(type='LoadImage'),
    long_side,
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=scale, keep_ratio=True) for scale in (1.0, 0.75)],
            [dict(type='RandomFlip', prob=prob, direction='horizontal') for prob in (0.0, 1.0)],
            [dict(type='LoadMask')],
            [dict(type='PackWSSSInputs')],
        ],
    ),
]
