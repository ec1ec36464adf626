# What WeCLIP's configs share. Published: network, crop, sizes of the test, AdamW at 2e-3 with weight decay
# 0.01, 30,000 steps of 4 images; chosen here: sizes of the training images, warm-up, decay of the rate and
# what has no weight decay.
_base_ = [
    './models/weclip_vitb16.py',
    './schedules/schedule_adamw_40k.py',
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

max_iters = 30_000
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0.0, begin=1500, end=max_iters, by_epoch=False),
]
train_cfg = dict(max_iters=max_iters)
auto_scale_lr = dict(base_batch_size=4)
