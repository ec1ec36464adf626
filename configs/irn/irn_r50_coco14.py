# IRNet on ResNet-50, COCO 2014; as irn_r50_voc.py.
_base_ = ['./irn_r50_voc.py']

data_root = 'data/coco2014'
images = dict(
    type='COCO14WSSSDataset',
    data_root=data_root,
    data_prefix=dict(img_path='train2014'),
    ann_file='train.txt',
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    # 0.5 .. 1.5 of a long side of 640, which is that of nearly all COCO images.
    dict(type='RandomResizeLongSide', min_size=320, max_size=960),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(512, 512)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **images))
map_dataset = dict(labels=dict(source='json', path='labels_train.json'), **images)
mask_cfg = dict(
    refiners=[
        dict(
            type='RandomWalk',
            config='configs/irn/irn_r50_coco14.py',
            checkpoint='work_dirs/irn_r50_coco14/epoch_3.pth',
        )
    ]
)
