# SIPE's maps of COCO 2014, masks by classifiers fitted to each image, DeepLabV2.
_base_ = './sipe_svm_voc.py'
configs = dict(
    localizer='configs/sipe/sipe_r50_coco14.py',
    svm='configs/svm/svm_r50_coco14.py',
    segmenter='configs/deeplabv2/deeplabv2_r101_coco14_pseudo.py',
)
