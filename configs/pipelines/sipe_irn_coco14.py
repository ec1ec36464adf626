# SIPE's maps of COCO 2014, spread by IRNet, DeepLabV2.
_base_ = './sipe_irn_voc.py'
configs = dict(
    localizer='configs/sipe/sipe_r50_coco14.py',
    irn='configs/irn/irn_r50_coco14.py',
    irn_labels='configs/irn/irn_r50_coco14_labels.py',
    segmenter='configs/deeplabv2/deeplabv2_r101_coco14_pseudo.py',
)
