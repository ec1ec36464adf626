# SIPE's maps, masks by classifiers fitted to each image, on voc_mini with MobileNetV2; two segmenters.
_base_ = '../_base_/pipelines/svm.py'
configs = dict(
    localizer='configs/sipe/sipe_mobilenetv2_vocmini.py',
    svm='configs/svm/svm_mobilenetv2_vocmini.py',
    segmenter='configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py',
    segmenter2='configs/deeplabv3plus/deeplabv3plus_mobilenetv2_vocmini_pseudo.py',
)
stages = dict(
    segmenter2=dict(run='train', config='segmenter2', options=dict(pseudo_mask_dir='{masks}')),
    segmenter2_score=dict(run='test', config='segmenter2', checkpoint='{segmenter2}'),
)
