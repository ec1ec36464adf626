"""Where the learning rates of a config end."""

from __future__ import annotations

from mmengine.config import Config


def rate_ends(cfg: Config) -> list[int]:
    """Last epoch or iteration of each schedule; as in MMEngine's Runner, that of training by default."""
    units = {True: 'max_epochs', False: 'max_iters'}
    return [
        rate['end'] if 'end' in rate else cfg.train_cfg[units[rate.get('by_epoch', True)]]
        for rate in cfg.param_scheduler
    ]
