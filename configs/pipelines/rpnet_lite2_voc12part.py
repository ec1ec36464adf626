# RPNet on 2,899 images of VOC with EfficientNet-Lite2.
_base_ = '../_base_/pipelines/lite2_voc12part.py'
configs = dict(localizer='configs/rpnet/rpnet_lite2_voc12part.py')
