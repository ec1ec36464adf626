"""A pipeline from labels to masks, its stages under torchrun with two processes, against one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from mmwsss.io import load_class_maps, load_mask
from tests.pipeline.pipelines import SMALL, pipeline, small_pipeline

TOOL = Path(__file__).parents[2] / 'tools' / 'run_pipeline.py'
# Batch statistics depend on the number of processes, and bfloat16 on the order of sums.
SAME = {'model.backbone.norm_eval': True, 'optim_wrapper.type': 'OptimWrapper'}
LOCALIZER = {**SMALL, **SAME, 'model.test_cfg.scales': [1.0]}


def run_with_processes(config: Path, work_dir: Path) -> None:
    """Run the tool as a user does, with two processes."""
    command = [
        sys.executable,
        str(TOOL),
        str(config),
        '--work-dir',
        str(work_dir),
        '--last',
        'masks',
    ]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    done = subprocess.run(
        [*command, '--launcher', 'pytorch', '--nproc', '2'],
        capture_output=True,
        text=True,
        env=environment,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_chain_does_not_depend_on_the_number_of_processes(demo_root, tmp_path):
    config = small_pipeline(tmp_path, demo_root, localizer=LOCALIZER)
    one, two = tmp_path / 'one', tmp_path / 'two'
    pipeline(config, one).run(last='masks')
    run_with_processes(config, two)
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
