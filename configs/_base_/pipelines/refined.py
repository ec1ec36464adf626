# Masks by another config than the localizer's. Those that the localizer's config makes of the maps,
# `seed_masks`, are scored for comparison.
_base_ = './localizer_segmenter.py'
stages = dict(
    seed_masks=dict(run='masks', config='localizer', maps='{maps}'),
    seed_masks_score=dict(run='score', config='localizer', masks='{seed_masks}'),
)
