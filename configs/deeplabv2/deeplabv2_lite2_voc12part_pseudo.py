# DeepLabV2 on EfficientNet-Lite2, output stride 16, for 2,899 training images of VOC, sized for one CPU core:
# 600 iterations, twenty-five minutes. A pipeline gives it the backbone of its localizer.
_base_ = [
    '../_base_/models/deeplabv2_lite2.py',
    '../_base_/datasets/voc12part_seg.py',
    '../_base_/schedules/schedule_deeplabv2_20k.py',
    '../_base_/tta.py',
    '../_base_/iter_runtime.py',
]

model = dict(decode_head=dict(num_classes=21))
auto_scale_lr = dict(base_batch_size=8)
# 600 steps are too few for DeepLabV2's SGD, which is meant for 20,000. The rate is that of the lowest loss
# on crops left out of CAM's masks, after 100 steps: 2e-3 3.13, 5e-4 0.92, 2e-4 0.59, 1e-4 0.57, 5e-5 0.61.
max_iters = 600
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.01),
    paramwise_cfg=None,
)
custom_hooks = [dict(type='ChannelsLastHook')]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=150))
# Objects are components of the true masks: this part of VOC has no instance maps.
val_evaluator = [dict(type='MeanIoUMetric', iou_metrics=['mIoU']), dict(type='IAmIoUMetric')]
test_evaluator = val_evaluator
# Objects that fill a photo are found at half its size; the base's ten views take an hour of a core.
tta_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale_factor=scale, keep_ratio=True) for scale in (0.5, 1.0)],
            [dict(type='LoadMask')],
            [dict(type='PackWSSSInputs')],
        ],
    ),
]
