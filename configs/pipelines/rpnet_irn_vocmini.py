_base_ = './sipe_irn_vocmini.py'
configs = dict(localizer='configs/rpnet/rpnet_mobilenetv2_vocmini.py')
