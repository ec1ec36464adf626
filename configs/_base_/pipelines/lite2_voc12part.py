# A localizer and DeepLabV2 with EfficientNet-Lite2 on 2,899 training images of VOC, scored on all of val.
_base_ = ['./localizer_segmenter.py', './localizer_backbone.py']
configs = dict(segmenter='configs/deeplabv2/deeplabv2_lite2_voc12part_pseudo.py')
stages = dict(segmenter_score=dict(tta=True))
