# DeepLabV2-R101 on pseudo masks of COCO 2014 with the size-balanced cross-entropy L_sb, both tasks in one
# run. The Fisher information is estimated on 10,000 of the 82,081 images. IA-mIoU takes the objects from the
# annotation file; they may overlap.
_base_ = '../deeplabv2/deeplabv2_r101_coco14_pseudo.py'

tau = 5.0
total = 'image'
normalize = 'weights'
ewc_strength = 500.0
custom_hooks = [
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=50_000,
        task_b_loss=dict(
            decode_head=dict(
                type='SizeBalancedCrossEntropyLoss', tau=tau, total=total, normalize=normalize
            )
        ),
        save_fisher='fisher.pth',
        num_images=10_000,
        num_workers=4,
    ),
]
val_evaluator = [
    dict(type='MeanIoUMetric', iou_metrics=['mIoU']),
    dict(
        type='IAmIoUMetric',
        instance_file='data/coco2014/annotations/instances_val2014.json',
    ),
]
test_evaluator = val_evaluator
