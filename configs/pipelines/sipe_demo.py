_base_ = './cam_demo.py'
configs = dict(localizer='configs/sipe/sipe_tiny_demo.py')
