# SIPE's maps, spread by IRNet, on voc_mini with MobileNetV2; two segmenters on the same masks. And what a
# dense CRF makes of the same class maps and of the walk's masks.
_base_ = '../_base_/pipelines/irn.py'
configs = dict(
    localizer='configs/sipe/sipe_mobilenetv2_vocmini.py',
    irn='configs/irn/irn_mobilenetv2_vocmini.py',
    irn_labels='configs/irn/irn_mobilenetv2_vocmini_labels.py',
    irn_crf='configs/irn/ablations/irn_mobilenetv2_vocmini_crf.py',
    segmenter='configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py',
    segmenter2='configs/deeplabv3plus/deeplabv3plus_mobilenetv2_vocmini_pseudo.py',
)
stages = dict(
    segmenter2=dict(run='train', config='segmenter2', options=dict(pseudo_mask_dir='{masks}')),
    segmenter2_score=dict(run='test', config='segmenter2', checkpoint='{segmenter2}'),
    seed_crf_masks=dict(
        run='masks',
        config='localizer',
        maps='{maps}',
        options={'mask_cfg.refiners': [dict(type='DenseCRF', from_labels=True)]},
    ),
    seed_crf_masks_score=dict(run='score', config='localizer', masks='{seed_crf_masks}'),
    crf_masks=dict(
        run='masks',
        config='irn_crf',
        maps='{maps}',
        options={
            'mask_cfg.refiners.0.config': '{irn:config}',
            'mask_cfg.refiners.0.checkpoint': '{irn}',
        },
    ),
    crf_masks_score=dict(run='score', config='localizer', masks='{crf_masks}'),
)
