"""A pipeline from labels to masks, its stages in two processes, against one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmwsss.io import load_class_maps, load_mask
from mmwsss.pipeline.launch import Launcher, Say
from tests.pipeline.pipelines import ROOT, SMALL, InProcess, pipeline, small_pipeline
from tests.tools.run import run_ranks

# Batch statistics depend on the number of processes, and bfloat16 on the order of sums.
SAME = {'model.backbone.norm_eval': True, 'optim_wrapper.type': 'OptimWrapper'}
LOCALIZER = {**SMALL, **SAME, 'model.test_cfg.scales': [1.0]}


def run_ranks_of(command: list[str], log: Path, say: Say, lock: int | None) -> int:
    """Run here what the pipeline would start, and in two processes what it would start under torchrun."""
    if command[1] != '-m':
        return InProcess()(command, log, say, lock)
    assert command[2:5] == ['torch.distributed.run', '--standalone', '--nproc-per-node=2']
    assert command[-2:] == ['--launcher', 'pytorch']
    return max(map(abs, run_ranks(ROOT / command[5], *command[6:-2])))


def test_a_chain_does_not_depend_on_the_number_of_processes(demo_root, tmp_path):
    config = small_pipeline(tmp_path, demo_root, localizer=LOCALIZER)
    one, two = tmp_path / 'one', tmp_path / 'two'
    pipeline(config, one).run(last='masks')
    in_ranks = pipeline(config, two, launcher=Launcher('pytorch', 2))
    in_ranks.execute = run_ranks_of
    in_ranks.run(last='masks')
    assert (two / 'log.txt').read_text().count('--nproc-per-node=2') == 3
    names = sorted(path.name for path in (one / 'maps').glob('*.npz'))
    assert len(names) == 8
    for name in names:
        a, b = (load_class_maps(folder / 'maps' / name) for folder in (one, two))
        np.testing.assert_array_equal(a.keys, b.keys)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-3)  # steps of the stored float16
    names = sorted(path.name for path in (one / 'masks').glob('*.png'))
    masks = [[load_mask(folder / 'masks' / name) for name in names] for folder in (one, two)]
    assert len(names) == 8
    assert np.mean([np.mean(a != b) for a, b in zip(*masks, strict=True)]) < 1e-3
