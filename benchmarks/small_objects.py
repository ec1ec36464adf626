"""Train a segmenter on true masks for one seed, score it object by object, and keep a summary in results/.

    folder=configs/size_balanced
    python benchmarks/small_objects.py $folder/size_balanced_mobilenetv2_mini_sw.py --seed 0
    python benchmarks/small_objects.py $folder/size_balanced_mobilenetv2_mini_sb.py --seed 0 \
        --task-a $folder/size_balanced_mobilenetv2_mini_ce.py

Stored are mIoU, IA-mIoU, IA_S, IA_M and IA_L. A run whose config has an EWCHook goes on from the checkpoint
of `--task-a` where its task B begins: the same as training task A again, for both take the same steps
until then. `--swap-splits` trains on the test images and scores on the training images, so that settings
(`--cfg-options tau=5`) can be chosen without the test images. Steps that are done are skipped.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

from study import NO_CRF, Study, hardware, truth_of, write_json

from mmwsss.io import code_version, read_id_list
from mmwsss.utils.config import load_config

SCORES = ('mIoU', 'IA-mIoU', 'IA_S', 'IA_M', 'IA_L')
NO_VALIDATION = ('val_cfg=None', 'val_dataloader=None', 'val_evaluator=None')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the segmenter')
    parser.add_argument('--task-a', help='config of the run to take the end of task A from')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--cfg-options', nargs='+', default=[], help='settings to try, key=value')
    parser.add_argument(
        '--swap-splits', action='store_true', help='exchange training and test images'
    )
    parser.add_argument('--work-dir', default='work_dirs/study', help='folder for all outputs')
    parser.add_argument('--results', default='results', help='folder for the summary')
    return parser.parse_args()


def swapped(cfg: Any) -> list[str]:
    """Options that exchange the list of testing and the one of the same folder in training."""
    test, path = cfg.test_dataloader.dataset, 'train_dataloader.dataset'
    parts = cfg.train_dataloader.dataset.get('datasets', [cfg.train_dataloader.dataset])
    (place,) = (i for i, part in enumerate(parts) if part['data_root'] == test['data_root'])
    if 'datasets' in cfg.train_dataloader.dataset:
        path = f'{path}.datasets.{place}'
    return [
        f'{goal}.{key}={source[key]}'
        for goal, source in ((path, test), ('test_dataloader.dataset', parts[place]))
        for key in ('ann_file', 'expected_count')
    ]


def run_name(config: str, args: argparse.Namespace) -> str:
    """The config's name, with what the options change."""
    changed = [option.replace('=', '') for option in args.cfg_options if config == args.config]
    return '_'.join([Path(config).stem, *changed, *(['swapped'] if args.swap_splits else [])])


def train(study: Study, config: str, options: list[str], seed: int, *more: str) -> Path:
    """Train; returns the folder of the checkpoints."""
    folder = study.folder / 'training'
    study.run('tools/train.py', config, '--work-dir', str(folder), '--seed',
              str(seed), *more, '--cfg-options', *NO_VALIDATION, *options)  # fmt: skip
    return folder


def task_b_begin(cfg: Any) -> int:
    """The iteration at which the config's EWCHook begins task B."""
    hooks = [hook for hook in cfg.custom_hooks if hook['type'] == 'EWCHook']
    if len(hooks) != 1:
        raise SystemExit('error: --task-a needs a config with an EWCHook')
    return hooks[0]['task_b_begin']


def score(study: Study, config: str, checkpoint: str, options: list[str]) -> dict[str, float]:
    """Test a checkpoint; returns the scores in percent."""
    folder = study.folder / 'test'
    more = ['--cfg-options', *options] if options else []
    study.run('tools/test.py', config, checkpoint, '--work-dir', str(folder),
              *more)  # fmt: skip
    files = sorted(f for f in folder.rglob('*.json') if 'vis_data' not in f.parts)
    found = json.loads(files[-1].read_text())
    return {key: round(found[key], 2) for key in SCORES}


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config)
    swap = swapped(cfg) if args.swap_splits else []
    root = Path(args.work_dir)
    name, start_version = run_name(args.config, args), code_version()
    study = Study(root / name / f'seed{args.seed}')
    options, more, before = [*swap, *args.cfg_options], [], []
    if args.task_a:
        first = Study(root / run_name(args.task_a, args) / f'seed{args.seed}')
        folder = train(first, args.task_a, swap, args.seed)
        end_of_a = folder / f'iter_{task_b_begin(cfg)}.pth'
        more, before = ['--resume'], first.steps[:1]
        options.append(f'load_from={end_of_a}')
    folder = train(study, args.config, options, args.seed, *more)
    last = folder / Path((folder / 'last_checkpoint').read_text().strip()).name
    scores = score(study, args.config, str(last), swap)
    tested = load_config(args.config, dict(option.split('=') for option in swap))
    images = len(read_id_list(truth_of(tested.test_dataloader.dataset)[1]))
    split = Path(tested.test_dataloader.dataset.ann_file).stem
    study.add(
        'segmenter on true masks',
        f'{images} {split} images, {"trained with the val images, " if swap else ""}instance maps, '
        f'one scale, no mirror, {NO_CRF}, no image labels at inference',
        scores,
    )
    path = Path(args.results) / name / f'seed{args.seed}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            'name': name,
            'config': args.config,
            'segmenter': args.config,
            'seed': args.seed,
            'tries_a_setting': args.swap_splits,
            'code': start_version,
            'date': date.today().isoformat(),
            'hardware': hardware(),
            'steps': [*before, *study.steps],
            'scores': study.scores,
        },
    )
    print(f'wrote {path}: {scores}')


if __name__ == '__main__':
    main()
