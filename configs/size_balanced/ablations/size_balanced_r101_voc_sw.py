# DeepLabV2-R101 on pseudo masks of PASCAL VOC 2012 with the size-weighted cross-entropy L_sw of Mun et al.,
# WACV 2024, from the start, read and averaged as in the paper's text; tested by mIoU and IA-mIoU.
_base_ = '../../deeplabv2/deeplabv2_r101_voc_pseudo.py'

tau = 5.0
instance_dir = 'data/VOCdevkit/VOC2012/SegmentationObject'
model = dict(
    decode_head=dict(loss_decode=dict(_delete_=True, type='SizeBalancedCrossEntropyLoss', tau=tau))
)
val_evaluator = [
    dict(type='MeanIoUMetric', iou_metrics=['mIoU']),
    dict(type='IAmIoUMetric', instance_dir=instance_dir),
]
test_evaluator = val_evaluator
