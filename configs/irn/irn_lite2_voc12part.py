# IRNet on 2,899 training images of VOC: on a frozen EfficientNet-Lite2 at output stride 16, whose second
# output at stride 4 sets the grid.
_base_ = '../cam/cam_lite2_voc12part.py'

model = dict(
    _delete_=True,
    type='IRNet',
    data_preprocessor=dict(
        type='WSSSDataPreProcessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        size=(288, 288),
        seg_pad_val=255,
    ),
    backbone={{_base_.model.backbone}},
    in_channels=(24, 48, 120, 352),
    stem=None,
    displacement=dict(
        channels=(64, 64, 64, 64),
        groups=(8, 8, 8, 8),
        join_channels=64,
        join_groups=8,
    ),
    radius=5,  # 34 pairs a pixel; radius 10 has 152
    test_size=(288, 288),
)

pseudo_mask_dir = 'work_dirs/irn_lite2_voc12part_labels'  # folder of confident labels
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadMask'),
    dict(type='RandomResizeLongSide', min_size=250, max_size=500),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PaddedRandomCrop', crop_size=(288, 288)),
    dict(type='PackWSSSInputs'),
]
train_dataloader = dict(
    dataset=dict(labels=None, pseudo_mask_dir=pseudo_mask_dir, pipeline=train_pipeline)
)
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None

# 362 iterations are few for plain SGD, hence AdamW.
optim_wrapper = dict(
    optimizer=dict(lr=5e-3, weight_decay=1e-4),
    paramwise_cfg=dict(
        _delete_=True,
        custom_keys={'edge.': dict(lr_mult=1.0), 'displacement.': dict(lr_mult=10.0)},
    ),
)
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs={{_base_.max_epochs}})
custom_hooks = [dict(type='ChannelsLastHook'), dict(type='IRNetCalibrationHook')]

mask_cfg = dict(
    _delete_=True,
    refiners=[
        dict(
            type='RandomWalk',
            config='configs/irn/irn_lite2_voc12part.py',
            checkpoint='work_dirs/irn_lite2_voc12part/epoch_2.pth',
        )
    ],
)
