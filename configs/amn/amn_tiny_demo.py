# AMN on the generated demo images. Before it: the labels, as for amn_r50_voc.py.
_base_ = '../cam/cam_tiny_demo.py'
pseudo_mask_dir = 'work_dirs/amn_tiny_demo_labels'  # folder of confident labels
model = dict(
    data_preprocessor=dict(seg_pad_val=255),
    head=dict(
        _delete_=True, type='AMNHead', num_classes=5, in_channels=128, dilations=(1, 2, 3, 4)
    ),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResizeLongSide', min_size=112, max_size=192),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(144, 144)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(
    dataset=dict(pseudo_mask_dir=pseudo_mask_dir, pipeline=train_pipeline),
)
mask_cfg = dict(_delete_=True, refiners=[dict(type='BackgroundThreshold', threshold=0.25)])
