_base_ = './cam_lite2_voc12part.py'
configs = dict(localizer='configs/sipe/sipe_lite2_voc12part.py')
