# For IRNet on maps without background, beside a pipeline of `irn.py`: its labels and the walk need the
# thresholds of IRNet's paper.
options = dict(
    irn_labels={'mask_cfg.refiners.0.fg_threshold': 0.30, 'mask_cfg.refiners.0.bg_threshold': 0.05},
    irn={'mask_cfg.refiners.0.background_threshold': 0.25},
)
