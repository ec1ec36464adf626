# SIPE's maps, spread by IRNet, DeepLabV2. Segmenters are tested at five scales with mirrors.
_base_ = '../_base_/pipelines/irn.py'
configs = dict(
    localizer='configs/sipe/sipe_r50_voc.py',
    irn='configs/irn/irn_r50_voc.py',
    irn_labels='configs/irn/irn_r50_voc_labels.py',
    segmenter='configs/deeplabv2/deeplabv2_r101_voc_pseudo.py',
)
stages = dict(segmenter_score=dict(tta=True))
