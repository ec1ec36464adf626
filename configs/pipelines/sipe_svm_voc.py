# SIPE's maps, masks by classifiers fitted to each image, DeepLabV2. Segmenters are tested at five scales with
# mirrors.
_base_ = '../_base_/pipelines/svm.py'
configs = dict(
    localizer='configs/sipe/sipe_r50_voc.py',
    svm='configs/svm/svm_r50_voc.py',
    segmenter='configs/deeplabv2/deeplabv2_r101_voc_pseudo.py',
)
stages = dict(segmenter_score=dict(tta=True))
