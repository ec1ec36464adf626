# DeepLabV2 on a quarter-width ResNet-18, from scratch, for the generated demo images, in bfloat16. A plain
# SGD with the long schedule's rates does not get far in so few steps, hence Adam.
_base_ = [
    '../_base_/models/deeplabv2_r101.py',
    '../_base_/datasets/demo_seg.py',
    '../_base_/schedules/schedule_deeplabv2_20k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]

pretrained = None
initial_weights = 'scratch'
max_iters = 400
model = dict(
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        size=(129, 129),
    ),
    backbone=dict(
        depth=18,
        stem_channels=16,
        base_channels=16,
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    decode_head=dict(in_channels=128, num_classes=6, dilations=(1, 2, 4, 6), align_corners=True),
)
optim_wrapper = dict(
    type='BFloat16OptimWrapper',
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=5e-4),
    paramwise_cfg=None,
)
custom_hooks = [dict(type='ChannelsLastHook')]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=100))
