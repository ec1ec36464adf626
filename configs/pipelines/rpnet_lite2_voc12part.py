_base_ = './cam_lite2_voc12part.py'
configs = dict(localizer='configs/rpnet/rpnet_lite2_voc12part.py')
