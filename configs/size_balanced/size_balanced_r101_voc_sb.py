# DeepLabV2-R101 on pseudo masks of PASCAL VOC 2012 with the size-balanced cross-entropy L_sb of Mun et al.,
# WACV 2024, as the authors' released code trains it: 30,000 iterations, cross-entropy until 15,000, then L_sw
# and the EWC penalty; multi-scale inputs. `pretrained` is the backbone of a DeepLabV2 trained on COCO.
_base_ = '../deeplabv2/deeplabv2_r101_voc_pseudo.py'

pretrained = 'data/weights/deeplabv2_r101_coco.pth'
initial_weights = 'coco'
tau = 5.0
total = 'image'
normalize = 'weights'
ewc_strength = 500.0
max_iters = 30_000
instance_dir = 'data/VOCdevkit/VOC2012/SegmentationObject'
model = dict(
    type='MSCEncoderDecoder',
    scales=(0.5, 0.75),
    backbone=dict(init_cfg=dict(checkpoint=pretrained, prefix='backbone.')),
)
custom_hooks = [
    dict(
        type='EWCHook',
        strength=ewc_strength,
        task_b_begin=15_000,
        task_b_loss=dict(
            decode_head=dict(
                type='SizeBalancedCrossEntropyLoss', tau=tau, total=total, normalize=normalize
            )
        ),
        save_fisher='fisher.pth',
        fisher_losses=['decode_max.loss_ce'],
        num_workers=4,
    ),
]
train_cfg = dict(max_iters=max_iters, val_interval=3000)
default_hooks = dict(checkpoint=dict(interval=3000))
val_evaluator = [
    dict(type='MeanIoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir=instance_dir),
]
test_evaluator = val_evaluator
