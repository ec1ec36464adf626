# sipe_irn_vocmini.py, and what a dense CRF makes of the same class maps and of the walk's masks.
_base_ = './sipe_irn_vocmini.py'
configs = dict(irn_crf='configs/irn/ablations/irn_mobilenetv2_vocmini_crf.py')
stages = dict(
    seed_crf_masks=dict(
        run='masks',
        config='localizer',
        maps='{maps}',
        options={'mask_cfg.refiners': [dict(type='DenseCRF', from_labels=True)]},
    ),
    seed_crf_masks_score=dict(run='score', config='localizer', pred='{seed_crf_masks}'),
    crf_masks=dict(
        run='masks',
        config='irn_crf',
        maps='{maps}',
        options={
            'mask_cfg.refiners.0.config': '{irn:config}',
            'mask_cfg.refiners.0.checkpoint': '{irn}',
        },
    ),
    crf_masks_score=dict(run='score', config='localizer', pred='{crf_masks}'),
)
