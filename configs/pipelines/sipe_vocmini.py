_base_ = './cam_vocmini.py'
configs = dict(localizer='configs/sipe/sipe_mobilenetv2_vocmini.py')
