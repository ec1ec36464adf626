# What WeCLIP's configs share. Published: network, crop, batch, steps, AdamW, sizes of the test; chosen here:
# sizes of the training images.
_base_ = [
    './models/weclip_vitb16.py',
    './schedules/schedule_weclip_30k.py',
    './tta.py',
    './iter_runtime.py',
]
weclip_train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=320, max_size=640),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(320, 320)),
    dict(type='PackWSSSInputs'),
]
long_side = dict(type='Resize', scale=(512, 512), keep_ratio=True)
weclip_val_pipeline = [
    dict(type='LoadImage'),
    long_side,
    dict(type='LoadMask'),
    dict(type='PackWSSSInputs'),
]
test_pipeline = [dict(type='LoadImage'), long_side, dict(type='PackWSSSInputs')]

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
