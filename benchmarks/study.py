"""Run a configuration end to end for one seed and keep a summary of it in results/.

    python benchmarks/study.py configs/cam/cam_mobilenetv2_vocmini.py --seed 0 \
        --segmenter configs/deeplabv2/deeplabv2_mobilenetv2_vocmini_pseudo.py

trains the localizer, writes and scores its class maps and masks, trains the segmenter on the masks and
scores it. With `--true-masks` only the segmenter is trained, on the true masks. Steps that are done are
skipped. The summaries are what `.dev/results_table.py` makes the tables of.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from mmwsss.evaluation.protocol import uses_ground_truth

from mmwsss.io import atomic_path, code_version, hash_text, read_id_list
from mmwsss.pipeline.summary import hardware
from mmwsss.pipeline.summary import score_of as percent_score
from mmwsss.utils.config import load_config

ROOT = Path(__file__).resolve().parents[1]
NO_CRF = 'no CRF'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of the localizer')
    parser.add_argument(
        '--demo-report', help='only keep the scores of this report.json of the demo'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--fraction', help='train the localizer on such a part, e.g. 1/4')
    parser.add_argument('--segmenter', help='config of a segmenter to train on the masks')
    parser.add_argument('--true-masks', action='store_true', help='train only the segmenter')
    parser.add_argument('--weights', help='localizer checkpoint to use instead of training one')
    parser.add_argument('--work-dir', default='work_dirs/study', help='folder for all outputs')
    parser.add_argument('--results', default='results', help='folder for the summary')
    return parser.parse_args()


class Study:
    """The steps of one run: commands, how long they took, and what they scored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / 'steps.json'
        self.steps: list[dict[str, Any]] = (
            json.loads(self.log.read_text()) if self.log.is_file() else []
        )
        self.scores: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *arguments: str) -> None:
        """Run a tool unless this very command succeeded before."""
        command = shlex.join(['python', *arguments])
        # An edited recipe repeats the steps that read it.
        texts = [load_config(a).pretty_text for a in arguments if a.startswith('configs/')]
        made = {'command': command, 'configs': hash_text('\n'.join(texts))[:16]}
        if any(step.items() >= made.items() for step in self.steps):
            return
        print(f'>> {command}', flush=True)
        start = time.monotonic()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True)  # noqa: S603
        seconds = round(time.monotonic() - start, 1)
        self.steps.append({**made, 'seconds': seconds, 'code': code_version()})
        write_json(self.log, self.steps)

    def add(
        self, what: str, protocol: str, score: dict[str, Any], uses_ground_truth: bool = False
    ) -> None:
        """Keep a score (in percent) with what it means, and whether true masks chose something."""
        about = {'what': what, 'protocol': protocol, 'uses_ground_truth': uses_ground_truth}
        self.scores.append({**about, **score})


def write_json(path: Path, content: Any) -> None:
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')


def latest(work_dir: Path) -> str:
    """Path of the last checkpoint of a training."""
    return os.path.relpath((work_dir / 'last_checkpoint').read_text().strip(), ROOT)


def truth_of(dataset: dict[str, Any]) -> tuple[str, str]:
    """Folder of true masks and list file of a dataset config."""
    root = Path(dataset['data_root'])
    return str(root / dataset['data_prefix']['seg_map_path']), str(root / dataset['ann_file'])


def views(cfg: Any) -> str:
    scales = ', '.join(f'{scale:g}' for scale in cfg.model.test_cfg.scales)
    return f'scales {scales}' + (' with mirrors' if cfg.model.test_cfg.get('flip', True) else '')


def localizer(study: Study, args: argparse.Namespace) -> Path:
    """Train a localizer, write and score its maps and masks; returns the folder of masks."""
    cfg = load_config(args.config)
    truth, ids = truth_of(cfg.val_dataloader.dataset)
    training, maps, masks = (study.folder / name for name in ('localizer', 'maps', 'masks'))
    weights = args.weights
    if weights is None:
        options = [f'fraction={args.fraction}'] if args.fraction else []
        study.run('tools/train.py', args.config, '--work-dir', str(training), '--seed',
                  str(args.seed), '--cfg-options', 'val_cfg=None', 'val_dataloader=None',
                  'val_evaluator=None', *options)  # fmt: skip
        weights = latest(training)
    study.run('tools/make_maps.py', args.config, weights, '--out', str(maps))
    study.run('tools/eval_masks.py', str(maps), truth, '--list', ids, '--maps', '--json',
              str(study.folder / 'maps.json'))  # fmt: skip
    study.run('tools/make_masks.py', args.config, '--maps', str(maps), '--out', str(masks))
    study.run('tools/eval_masks.py', str(masks), truth, '--list', ids, '--json',
              str(study.folder / 'masks.json'))  # fmt: skip
    add_localizer_scores(study, views(cfg), masks)
    return masks


def add_localizer_scores(study: Study, how: str, masks: Path) -> None:
    """Read the scores that `eval_masks.py` left."""
    table = json.loads((study.folder / 'maps.json').read_text())
    where = f'{table["images"]} train images, {how}, {NO_CRF}'
    study.add(
        'maps at best threshold',
        f'{where}, threshold {table["best_threshold"]:g}: best of a sweep, uses ground truth',
        score_of(table['best_mIoU'], table['best_IoU'], table['best_threshold']),
        uses_ground_truth=True,
    )
    if table['argmax_mIoU'] is not None:
        study.add(
            'maps without threshold',
            f'{where}, argmax with the own background, no threshold',
            score_of(table['argmax_mIoU'], table['argmax_IoU']),
        )
    scored = json.loads((study.folder / 'masks.json').read_text())
    settings = json.loads((masks / 'record.json').read_text())['settings']
    threshold = settings.get('threshold')
    rule = 'no threshold' if threshold is None else f'threshold {threshold:g} from the config'
    study.add(
        'masks',
        f'{where}, {rule}',
        score_of(scored['mIoU'], scored['IoU'], threshold),
        uses_ground_truth([scored, settings], settings.get('threshold_source')),
    )


def score_of(miou: float, iou: dict[str, float], threshold: float | None = None) -> dict[str, Any]:
    """A score in percent, rounded to hundredths, and its threshold."""
    return {**percent_score(miou, iou), 'threshold': threshold}


def segmenter(study: Study, args: argparse.Namespace, masks: Path | None) -> None:
    """Train a segmenter on masks (None: the true ones) and score it on its val split."""
    cfg = load_config(args.segmenter)
    name = 'segmenter' if masks is not None else 'segmenter_true_masks'
    training, scored = study.folder / name, study.folder / f'{name}_test'
    options = ['val_cfg=None', 'val_dataloader=None', 'val_evaluator=None']
    if masks is not None:
        options.append(f'pseudo_mask_dir={masks}')
    study.run('tools/train.py', args.segmenter, '--work-dir', str(training), '--seed',
              str(args.seed), '--cfg-options', *options)  # fmt: skip
    study.run('tools/test.py', args.segmenter, latest(training), '--work-dir', str(scored))
    files = sorted(f for f in scored.rglob('*.json') if 'vis_data' not in f.parts)
    images = len(read_id_list(truth_of(cfg.test_dataloader.dataset)[1]))
    source = 'pseudo masks' if masks is not None else 'true masks'
    study.add(
        f'segmenter on {source}',
        f'{images} val images, one scale, no mirror, {NO_CRF}, no image labels at inference',
        {'mIoU': round(json.loads(files[-1].read_text())['mIoU'], 2)},
    )


def demo_scores(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores of the demo's report, as a study keeps them."""
    scores = []
    for found in report['scores']:
        rule = f'threshold {found["threshold"]}' + (
            ', uses ground truth' * found['uses_ground_truth']
        )
        where = f'{found["images"]} generated {found["split"]} images, {found["views"]}, {NO_CRF}'
        score = score_of(found['miou'], found['iou'])
        about = {'what': found['name'], 'protocol': f'{where}, {rule}'}
        scores.append({**about, 'uses_ground_truth': found['uses_ground_truth'], **score})
    for name, coverage in report['coverage'].items():
        pooled = {key: round(100 * value, 2) for key, value in coverage['pooled'].items()}
        scores.append(
            {
                'what': f'coverage of {name}',
                'protocol': 'pooled pixels of 200 train images, no CRF',
                **pooled,
            }
        )
    return scores


def keep_demo(args: argparse.Namespace) -> None:
    """Store the demo's scores."""
    report = json.loads(Path(args.demo_report).read_text(encoding='utf-8'))
    seconds = report['seconds']
    total = sum(seconds.values()) if isinstance(seconds, dict) else seconds
    write_json(
        Path(args.results) / 'demo' / 'seed0.json',
        {
            'name': 'demo',
            'config': args.config,
            'segmenter': 'configs/deeplabv2/deeplabv2_tiny_demo_pseudo.py',
            'seed': 0,
            'code': report['version'],
            'date': date.today().isoformat(),
            'hardware': hardware(),
            'steps': [{'command': 'make demo', 'seconds': round(total, 1)}],
            'scores': demo_scores(report),
        },
    )


def main() -> None:
    args = parse_args()
    if args.true_masks and not args.segmenter:
        raise SystemExit('error: --true-masks needs --segmenter')
    if args.demo_report:
        (Path(args.results) / 'demo').mkdir(parents=True, exist_ok=True)
        keep_demo(args)
        return
    name = Path(args.segmenter if args.true_masks else args.config).stem
    if args.true_masks:
        name += '_true-masks'
    if args.fraction:
        name += '_' + args.fraction.replace('/', 'of')
    study = Study(Path(args.work_dir) / name / f'seed{args.seed}')
    start_version = code_version()
    masks = None if args.true_masks else localizer(study, args)
    if args.segmenter:
        segmenter(study, args, masks)
    summary = {
        'name': name,
        'config': args.segmenter if args.true_masks else args.config,
        'segmenter': args.segmenter,
        'seed': args.seed,
        **({'options': {'fraction': args.fraction}} if args.fraction else {}),
        'tries_a_setting': bool(args.fraction),
        'code': start_version,
        'date': date.today().isoformat(),
        'hardware': hardware(),
        'steps': study.steps,
        'scores': study.scores,
    }
    path = Path(args.results) / name / f'seed{args.seed}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, summary)
    print(f'wrote {path}')
    for score in study.scores:
        print(f'{score["what"]}: {score["mIoU"]:.2f} mIoU ({score["protocol"]})')


if __name__ == '__main__':
    main()
