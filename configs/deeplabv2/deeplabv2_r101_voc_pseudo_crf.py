# The scores of deeplabv2_r101_voc_pseudo.py without and with DeepLabV2's dense CRF on the predictions.
_base_ = './deeplabv2_r101_voc_pseudo.py'
test_evaluator = dict(
    _delete_=True,
    type='DenseCRFEvaluator',
    metrics=[dict(type='MeanIoUMetric', iou_metrics=['mIoU'])],
    crf=dict(
        gaussian_sxy=1,
        gaussian_compat=3,
        bilateral_sxy=67,
        bilateral_srgb=3,
        bilateral_compat=4,
        iterations=10,
    ),
    workers=8,
)
