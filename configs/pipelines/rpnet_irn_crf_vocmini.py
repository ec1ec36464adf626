# rpnet_irn_vocmini.py, and what a dense CRF makes of the same class maps and of the walk's masks. The first
# segmenter trains on the walk's masks cleaned by the CRF.
_base_ = ['./sipe_irn_crf_vocmini.py', '../_base_/pipelines/irn_thresholds.py']
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
