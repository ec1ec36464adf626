"""Run all benchmarks, one after the other, and keep their figures in benchmarks/results/.

    python benchmarks/run_all.py

is what `make bench` runs, with one thread unless OMP_NUM_THREADS says otherwise. Nothing else should run on
the machine meanwhile: the speed of a process pool is wall time. The table of docs/benchmarks.md is made of
the figures by `.dev/benchmark_table.py`.

    python benchmarks/run_all.py --studies

is `make bench-studies`: the pipelines on voc_mini and on a part of VOC whose scores are in results/, three
seeds each, days on two cores. What is done is skipped, so it may be stopped and started again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Script and its options; fewer repeats where one takes long.
RUNS: dict[str, tuple[str, ...]] = {
    'sipe_head': (),
    'rpnet_head': (),
    'maps': ('--repeats', '3'),
    'irn_step': (),
    'random_walk': ('--repeats', '3'),
    'svm': ('--repeats', '3'),
    'crf': (),
    'refiners': (),
    'ia_miou': (),
    'size_weights': ('--step',),
}

LOCALIZER = 'configs.localizer=configs/{0}/{0}_mobilenetv2_vocmini.py'
SEGMENTER = 'configs.segmenter=configs/size_balanced/size_balanced_mobilenetv2_mini_{}.py'
VOC_SEGMENTER = 'configs.segmenter=configs/size_balanced/size_balanced_lite2_voc12part_{}.py'
VOC_TRAIN = '{data_root}/ImageSets/Segmentation/train_voc12.txt'
# Folder of results/: pipeline and arguments.
STUDIES: dict[str, tuple[str, ...]] = {
    'cam_mobilenetv2_vocmini': ('cam_vocmini', '--last', 'segmenter_score'),
    'deeplabv2_mobilenetv2_vocmini_pseudo_true-masks': ('true_masks',),
    **{
        f'{method}_mobilenetv2_vocmini': (
            'cam_vocmini', '--last', 'masks_score', '--cfg-options', LOCALIZER.format(method)
        )
        for method in ('sipe', 'rpnet')
    },
    'irn_mobilenetv2_vocmini': ('sipe_irn_vocmini',),
    'svm_mobilenetv2_vocmini': ('sipe_svm_vocmini',),
    **{
        f'size_balanced_mobilenetv2_mini_{loss}': (
            'true_masks', '--cfg-options', SEGMENTER.format(loss)
        )
        for loss in ('ce', 'sw', 'sb')
    },
    **{
        f'{name}_lite2_voc12part': (f'{name}_lite2_voc12part',)
        for name in ('localizers', 'refiners', 'cam', 'sipe', 'sipe_irn')
    },
    **{
        f'{method}_lite2_voc12part_1of{parts}': (
            f'{method}_lite2_voc12part', '--last', 'maps_score',
            *('--cfg-options', f'localizer.fraction=1/{parts}', f'stages.maps.list={VOC_TRAIN}'),
        )
        for method in ('cam', 'sipe', 'rpnet')
        for parts in (4, 16)
    },
    'sipe_lite2_voc12part_deeplabv3plus': (
        'sipe_lite2_voc12part', '--cfg-options',
        'configs.segmenter=configs/deeplabv3plus/deeplabv3plus_lite2_voc12part_pseudo.py',
    ),
    'sipe_lite2_voc12part_sb': (
        'sipe_lite2_voc12part', '--cfg-options', VOC_SEGMENTER.format('sb')
    ),
    'deeplabv2_lite2_voc12part_pseudo_true-masks': ('true_masks_lite2_voc12part',),
    **{
        f'size_balanced_lite2_voc12part_{loss}': (
            'true_masks_lite2_voc12part', '--cfg-options', VOC_SEGMENTER.format(loss)
        )
        for loss in ('sw', 'sb')
    },
}  # fmt: skip
SEEDS = (0, 1, 2)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--only', nargs='+', choices=[*RUNS], help='run these, all by default')
    parser.add_argument('--out', default=str(HERE / 'results'), help='folder for the figures')
    parser.add_argument('--studies', action='store_true', help='the trainings instead (days)')
    return parser.parse_args()


def study(name: str, seed: int) -> list[str]:
    """Command of a study for one seed; done stages are skipped."""
    pipeline, *arguments = STUDIES[name]
    words = ['tools/run_pipeline.py', f'configs/pipelines/{pipeline}.py', '--seed', str(seed)]
    words += ['--work-dir', f'work_dirs/studies/{name}/seed{seed}', '--results', f'results/{name}']
    return [*words, *arguments]


def commands(args: argparse.Namespace) -> Iterator[list[str]]:
    """Script and arguments of each run, from the root."""
    if args.studies:
        yield from (study(name, seed) for seed, name in product(SEEDS, STUDIES))
        return
    for name in args.only or RUNS:
        out = str(Path(args.out).resolve() / f'{name}.json')
        yield [f'benchmarks/{name}.py', *RUNS[name], '--out', out]


def main() -> int:
    args = parse_args()
    # CPU time of several threads counts their waiting.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    failed = []
    for command in commands(args):
        name = ' '.join(command) if args.studies else Path(command[0]).stem
        print(f'[bench] {name}', flush=True)
        start = time.monotonic()
        done = subprocess.run(  # noqa: S603
            [sys.executable, *command],
            stdout=None if args.studies else subprocess.DEVNULL,
            cwd=HERE.parent,
            check=False,
        )
        print(f'[bench] {name}: {time.monotonic() - start:.0f} s', flush=True)
        failed += [name] if done.returncode else []
    if failed:
        print(f'[bench] failed: {", ".join(failed)}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
