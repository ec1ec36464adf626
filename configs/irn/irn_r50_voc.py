# IRNet on a frozen ResNet-50 at output stride 16, PASCAL VOC 2012 train_aug; edges and displacements on the
# grid of stride 4. It is trained on labels that class maps are sure about, and turns the maps into masks by
# random walk: the released recipe. After a localizer has written work_dirs/maps:
#   python tools/make_masks.py configs/irn/irn_r50_voc_labels.py \
#       --maps work_dirs/maps --out work_dirs/irn_labels
#   python tools/train.py configs/irn/irn_r50_voc.py
#   python tools/make_masks.py configs/irn/irn_r50_voc.py --maps work_dirs/maps --out work_dirs/masks
_base_ = ['../_base_/datasets/voc12aug_cls.py', '../_base_/default_runtime.py']

pretrained = 'https://download.pytorch.org/models/resnet50-0676ba61.pth'
model = dict(
    type='IRNet',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(512, 512),
        seg_pad_val=255,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 1),
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint=pretrained),
    ),
    in_channels=(64, 256, 512, 1024, 2048),
    stem='maxpool',
    radius=10,
    test_size=(512, 512),  # smaller images are padded to it, as crops are in training
)

pseudo_mask_dir = 'work_dirs/irn_labels'  # folder of confident labels
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    # 0.5 .. 1.5 of a long side of 500, which is that of nearly all VOC images.
    dict(type='RandomResizeLongSide', min_size=250, max_size=750),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(512, 512)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(
    batch_size=32,
    dataset=dict(labels=None, pseudo_mask_dir=pseudo_mask_dir, pipeline=train_pipeline),
)
val_dataloader = None
val_evaluator = None
test_dataloader = None
test_evaluator = None

# 3 epochs of SGD, the displacement branch at ten times the edge branch's rate, poly 0.9 per
# iteration. The released code hands the weight decay to the optimizer's momentum slot, hence this momentum.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(
        custom_keys={'edge.': dict(lr_mult=1.0), 'displacement.': dict(lr_mult=10.0)}
    ),
)
max_epochs = 3
param_scheduler = [dict(type='PolyLR', power=0.9, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
# The rates above belong to a global batch of 32; switch on with --auto-scale-lr.
auto_scale_lr = dict(enable=False, base_batch_size=32)
custom_hooks = [dict(type='IRNetCalibrationHook')]

mask_cfg = dict(
    refiners=[
        dict(
            type='RandomWalk',
            config='configs/irn/irn_r50_voc.py',
            checkpoint='work_dirs/irn_r50_voc/epoch_3.pth',
        )
    ]
)
