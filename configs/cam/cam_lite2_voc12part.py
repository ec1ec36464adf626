# CAM on 2,899 training images of VOC with EfficientNet-Lite2, sized for one CPU core.
_base_ = [
    '../_base_/models/cam_lite2.py',
    '../_base_/datasets/voc12part_cls.py',
    '../_base_/schedules/schedule_vocmini_cls.py',
]
# 362 iterations of 16 crops, twenty minutes of one core. float32: bfloat16 slows depthwise convolutions down.
max_epochs = 2
optim_wrapper = dict(type='OptimWrapper')
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
mask_cfg = dict(
    refiners=[dict(type='BackgroundThreshold', threshold=0.2)],
    threshold_source='usual for CAM; not chosen on masks',
)
