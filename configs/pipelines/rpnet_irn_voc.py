_base_ = './sipe_irn_voc.py'
configs = dict(localizer='configs/rpnet/rpnet_r50_voc.py')
