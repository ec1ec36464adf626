# AMN, COCO 2014, 80 classes; as amn_r50_voc.py.
_base_ = '../cam/cam_r50_coco14.py'
pseudo_mask_dir = 'work_dirs/amn_r50_coco14_labels'  # folder of confident labels
model = dict(
    data_preprocessor=dict(seg_pad_val=255),
    head=dict(_delete_=True, type='AMNHead', num_classes=80, in_channels=2048),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResizeLongSide', min_size=320, max_size=640),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(512, 512)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(
    dataset=dict(pseudo_mask_dir=pseudo_mask_dir, pipeline=train_pipeline),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='Adam', lr=5e-6, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'head.': dict(lr_mult=20.0)}),
)
mask_cfg = dict(_delete_=True, refiners=[dict(type='BackgroundThreshold', threshold=0.25)])
