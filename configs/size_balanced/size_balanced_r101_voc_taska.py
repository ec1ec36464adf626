# Task A alone: deeplabv2_r101_voc_pseudo.py, after which fisher.pth, with the Fisher information and the
# weights, is written beside the checkpoints. size_balanced_r101_voc_taskb.py goes on from there, as often
# and with as many settings as wanted.
_base_ = '../deeplabv2/deeplabv2_r101_voc_pseudo.py'

instance_dir = 'data/VOCdevkit/VOC2012/SegmentationObject'
custom_hooks = [
    dict(type='IterationSeedHook'),
    dict(type='CheckNumClassesHook'),
    dict(type='CheckInitialWeightsHook'),
    dict(type='EWCHook', task_b_begin=20_000, save_fisher='fisher.pth', num_workers=4),
]
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir=instance_dir),
]
test_evaluator = val_evaluator
