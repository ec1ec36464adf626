# MCTformer+, PASCAL VOC 2012, DeiT-S/16. Published: network, crop, epochs, batch, AdamW, scales of the maps;
# chosen here: augmentation and threshold.
_base_ = [
    '../_base_/models/mctformer_deit-s.py',
    '../_base_/datasets/voc12aug_cls.py',
    '../_base_/schedules/schedule_mctformer_45e.py',
    '../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizeLongSide', min_size=448, max_size=768),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(448, 448)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
mask_cfg = dict(refiners=[dict(type='BackgroundThreshold', threshold=0.4)])
