# SegFormer-B2 on pseudo masks of PASCAL VOC 2012 with the size-balanced cross-entropy L_sb: cross-entropy
# until iteration 20,000, then L_sw and the EWC penalty. As many iterations as
# segformer_mit-b2_voc_pseudo.py. The settings are those of size_balanced_r101_voc_sb.py.
_base_ = '../segformer/segformer_mit-b2_voc_pseudo.py'

tau = 5.0
total = 'image'
normalize = 'weights'
ewc_strength = 500.0
instance_dir = 'data/VOCdevkit/VOC2012/SegmentationObject'
custom_hooks = [
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=20_000,
        task_b_loss=dict(
            decode_head=dict(
                type='SizeBalancedCrossEntropyLoss', tau=tau, total=total, normalize=normalize
            )
        ),
        save_fisher='fisher.pth',
        num_workers=4,
    ),
]
val_evaluator = [
    dict(type='MeanIoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir=instance_dir),
]
test_evaluator = val_evaluator
