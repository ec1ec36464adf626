# rpnet_irn_vocmini.py, and what a dense CRF makes of the same class maps and of the walk's masks. The first
# segmenter trains on the walk's masks cleaned by the CRF.
_base_ = './rpnet_irn_vocmini.py'
configs = dict(irn_crf='configs/irn/ablations/irn_mobilenetv2_vocmini_crf.py')
stages = dict(
    seed_crf_masks=dict(
        run='masks',
        config='localizer',
        maps='{maps}',
        options={
            'mask_cfg.refiners': [
                dict(type='BackgroundThreshold', threshold=0.2),
                dict(type='DenseCRF', from_labels=True),
            ]
        },
    ),
    seed_crf_masks_score=dict(run='score', config='localizer', pred='{seed_crf_masks}'),
    crf_masks=dict(
        run='masks',
        config='irn_crf',
        maps='{maps}',
        options={
            'mask_cfg.refiners.0.background_threshold': 0.25,
            'mask_cfg.refiners.0.config': '{irn:config}',
            'mask_cfg.refiners.0.checkpoint': '{irn}',
        },
    ),
    crf_masks_score=dict(run='score', config='localizer', pred='{crf_masks}'),
    segmenter=dict(options=dict(pseudo_mask_dir='{crf_masks}')),
)
