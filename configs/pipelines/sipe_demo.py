# SIPE on generated images, which the first stage makes: minutes on two CPU cores.
_base_ = './cam_demo.py'
configs = dict(localizer='configs/sipe/sipe_tiny_demo.py')
