# SIPE's maps, spread by IRNet, and DeepLabV2 with EfficientNet-Lite2 on 2,899 training images of VOC.
_base_ = ['../_base_/pipelines/irn.py', '../_base_/pipelines/localizer_backbone.py']
configs = dict(
    localizer='configs/sipe/sipe_lite2_voc12part.py',
    irn='configs/irn/irn_lite2_voc12part.py',
    irn_labels='configs/irn/irn_lite2_voc12part_labels.py',
    segmenter='configs/deeplabv2/deeplabv2_lite2_voc12part_pseudo.py',
)
stages = dict(segmenter_score=dict(tta=True))
