# SIPE on COCO 2014 as its authors ran it: a dense CRF cleans the labels of the class maps, and a segmenter
# learns from the result. Masks without the CRF, `seed_masks`, are scored for comparison.
_base_ = '../_base_/pipelines/refined.py'
configs = dict(
    localizer='configs/sipe/sipe_r50_coco14.py',
    segmenter='configs/deeplabv2/deeplabv2_r101_coco14_pseudo.py',
)
stages = dict(
    masks=dict(options={'mask_cfg.refiners': [dict(type='DenseCRF', from_labels=True)]}),
    segmenter_score=dict(tta=True),
)
