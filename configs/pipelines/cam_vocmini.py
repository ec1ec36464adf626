# CAM on voc_mini with MobileNetV2, sized for two CPU cores; two segmenters on the same masks.
_base_ = '../_base_/pipelines/localizer_segmenter.py'
configs = dict(
    localizer='configs/cam/cam_mobilenetv2_vocmini.py',
    segmenter='configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py',
    segmenter2='configs/deeplabv3plus/deeplabv3plus_mobilenetv2_vocmini_pseudo.py',
)
stages = dict(
    segmenter2=dict(run='train', config='segmenter2', options=dict(pseudo_mask_dir='{masks}')),
    segmenter2_score=dict(run='test', config='segmenter2', checkpoint='{segmenter2}'),
)
