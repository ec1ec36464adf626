# Masks by IRNet: trained on what the class maps are sure about, it spreads the maps by random walk. The
# masks that the localizer's config makes of the maps alone, `seed_masks`, are scored for comparison. A child
# names the configs of IRNet and of its labels, too.
_base_ = './localizer_segmenter.py'
configs = dict(irn=None, irn_labels=None)
stages = dict(
    seed_masks=dict(run='masks', config='localizer', maps='{maps}'),
    seed_masks_score=dict(run='score', config='localizer', pred='{seed_masks}'),
    irn_labels=dict(run='masks', config='irn_labels', maps='{maps}'),
    irn=dict(run='train', config='irn', options=dict(pseudo_mask_dir='{irn_labels}')),
    masks=dict(config='irn', options={'mask_cfg.refiners.0.checkpoint': '{irn}'}),
)
