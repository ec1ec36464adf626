"""What every training has, whatever hooks a config adds."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs'
HOOKS = {'IterationSeedHook', 'CheckNumClassesHook', 'CheckInitialWeightsHook'}


def test_every_training_is_seeded_and_checked():
    count = 0
    for path in sorted(CONFIGS.rglob('*.py')):
        is_part = path.relative_to(CONFIGS).parts[0] in ('_base_', 'pipelines')
        cfg = {} if is_part else Config.fromfile(path)
        if cfg.get('train_cfg'):
            assert {hook['type'] for hook in cfg['default_hooks'].values()} >= HOOKS, path
            count += 1
    assert count > 100
