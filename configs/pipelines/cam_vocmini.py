# CAM on voc_mini with MobileNetV2, sized for two CPU cores.
_base_ = '../_base_/pipelines/localizer_segmenter.py'
configs = dict(
    localizer='configs/cam/cam_mobilenetv2_vocmini.py',
    segmenter='configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py',
)
