# RPNet's maps of voc_mini, spread by IRNet with the thresholds of its paper; the first segmenter learns from
# the walk's masks cleaned by a dense CRF.
_base_ = ['./sipe_irn_vocmini.py', '../_base_/pipelines/irn_thresholds.py']
configs = dict(localizer='configs/rpnet/rpnet_mobilenetv2_vocmini.py')
stages = dict(
    seed_crf_masks=dict(
        options={
            'mask_cfg.refiners': [
                dict(type='BackgroundThreshold', threshold=0.2),
                dict(type='DenseCRF', from_labels=True),
            ]
        },
    ),
    crf_masks=dict(options={'mask_cfg.refiners.0.background_threshold': 0.25}),
    segmenter=dict(options=dict(pseudo_mask_dir='{crf_masks}')),
)
