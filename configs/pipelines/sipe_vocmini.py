# SIPE on voc_mini with MobileNetV2, sized for two CPU cores; two segmenters on the same masks.
_base_ = './cam_vocmini.py'
configs = dict(localizer='configs/sipe/sipe_mobilenetv2_vocmini.py')
