# AMN on the part of VOC, EfficientNet-Lite2. Before it: the labels, as for amn_r50_voc.py.
_base_ = '../cam/cam_lite2_voc12part.py'
pseudo_mask_dir = 'work_dirs/amn_lite2_voc12part_labels'  # folder of confident labels
model = dict(
    data_preprocessor=dict(seg_pad_val=255),
    head=dict(_delete_=True, type='AMNHead', num_classes=20, in_channels=352),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResizeLongSide', min_size=160, max_size=320),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(224, 224)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(
    dataset=dict(pseudo_mask_dir=pseudo_mask_dir, pipeline=train_pipeline),
)
mask_cfg = dict(
    _delete_=True,
    refiners=[dict(type='BackgroundThreshold', threshold=0.25)],
    threshold_source='of the paper; not chosen on masks',
)
