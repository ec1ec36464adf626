# CAM, its masks by threshold, DeepLabV2. Segmenters are tested at five scales with mirrors.
_base_ = '../_base_/pipelines/localizer_segmenter.py'
configs = dict(
    localizer='configs/cam/cam_r50_voc.py',
    segmenter='configs/deeplabv2/deeplabv2_r101_voc_pseudo.py',
)
stages = dict(segmenter_score=dict(tta=True))
