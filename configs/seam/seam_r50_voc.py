# SEAM, PASCAL VOC 2012, ResNet-50; else as seam_r38_voc.py.
_base_ = '../cam/cam_r50_voc.py'
crop_size = (448, 448)
model = dict(
    data_preprocessor=dict(size=crop_size),
    head=dict(_delete_=True, type='SEAMHead', num_classes=20, in_channels=2048),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=448, max_size=768),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=crop_size),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
# 8 epochs, 0.01 for the backbone and ten times that for the head.
optim_wrapper = dict(optimizer=dict(lr=0.01), clip_grad=dict(max_norm=1.0))
max_epochs = 8
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
auto_scale_lr = dict(base_batch_size=8)
# CAM's thresholds need not suit means over the image; this one is found without masks.
mask_cfg = dict(_delete_=True, refiners=[dict(type='BackgroundThreshold', threshold='chosen')])
