# SIPE on COCO 2014, DeepLabV2.
_base_ = './cam_coco14.py'
configs = dict(localizer='configs/sipe/sipe_r50_coco14.py')
