# DeepLabV2 on EfficientNet-Lite2 and the pseudo masks of your own photos, sized for one CPU core.
_base_ = [
    '../_base_/models/deeplabv2_lite2.py',
    '../_base_/datasets/custom_seg.py',
    '../_base_/schedules/schedule_lite2_custom.py',
]
# In 100 steps the head learns as much on a backbone that stays as it is, in a third of the time.
model = dict(
    data_preprocessor=dict(size=(161, 161)),
    backbone=dict(frozen_stages=7),
    decode_head=dict(num_classes='auto'),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResizeLongSide', min_size=160, max_size=320),
    dict(type='RandomCrop', crop_size=(161, 161)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWSSSInputs'),
]
resize = dict(type='RandomResizeLongSide', min_size=320, max_size=320)
val_pipeline = [dict(type='LoadImage'), resize, dict(type='LoadMask'), dict(type='PackWSSSInputs')]
test_pipeline = [dict(type='LoadImage'), resize, dict(type='PackWSSSInputs')]
train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
max_iters = 100
optim_wrapper = dict(optimizer=dict(lr=1e-4), paramwise_cfg=None)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
