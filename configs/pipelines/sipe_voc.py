# As cam_voc.py, with SIPE's maps, which need no threshold.
_base_ = './cam_voc.py'
configs = dict(localizer='configs/sipe/sipe_r50_voc.py')
