# CAM on COCO 2014, its masks by threshold, DeepLabV2.
_base_ = './cam_voc.py'
configs = dict(
    localizer='configs/cam/cam_r50_coco14.py',
    segmenter='configs/deeplabv2/deeplabv2_r101_coco14_pseudo.py',
)
