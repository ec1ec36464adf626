"""Scores of per-image classifiers on voc_mini, for one seed of SIPE; keeps a summary in results/.

    python benchmarks/svm_study.py seed --seed 0
    python benchmarks/svm_study.py gt --seed 0

start from the localizer and the class maps that `benchmarks/study.py` left for the same seed. `seed`: the
classifiers learn from the class maps; the masks are scored beside those of the maps alone. `gt`: they learn
from the true masks, by feature, which is an upper bound and not a weakly supervised result. Steps that are
done are skipped.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

from study import Study, hardware, score_of, truth_of, views, write_json

from mmwsss.io import code_version
from mmwsss.utils.config import load_config

SIPE = 'configs/sipe/sipe_mobilenetv2_vocmini.py'
SVM = 'configs/svm/svm_mobilenetv2_vocmini.py'
GT_NAME = 'svm_mobilenetv2_vocmini_true-masks'
GT_SAMPLES = 1000  # instead of the paper's 2500, for two CPU cores


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', choices=('seed', 'gt'), help='what the classifiers learn from')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--work-dir', default='work_dirs/study', help='folder for all outputs')
    parser.add_argument('--results', default='results', help='folder for the summary')
    return parser.parse_args(argv)


def checkpoint_of(folder: Path) -> str:
    """The last checkpoint of a training, under the folder's own name."""
    return str(folder / Path((folder / 'last_checkpoint').read_text().strip()).name)


def from_seed(study: Study, found: Path) -> None:
    """Refine the class maps; score the masks beside those of the maps alone."""
    cfg = load_config(SIPE)
    truth, ids = truth_of(cfg.val_dataloader.dataset)
    network = f'mask_cfg.refiners.0.checkpoint={checkpoint_of(found / "localizer")}'
    rows = {
        'maps': (SIPE, 'argmax of the maps', ()),
        'maps + SVM': (SVM, 'SVM on seeds from the maps', ('--cfg-options', network)),
    }
    for what, (config, how, options) in rows.items():
        out = str(study.folder / what.replace(' + ', '_'))
        study.run('tools/make_masks.py', config, '--maps', str(found / 'maps'), '--out', out,
                  *options)  # fmt: skip
        study.run('tools/eval_masks.py', out, truth, '--list', ids, '--json', f'{out}.json')
        table = json.loads(Path(f'{out}.json').read_text())
        protocol = (
            f'{table["images"]} train images, maps of {views(cfg)}, {how}, no threshold, no CRF'
        )
        study.add(what, protocol, score_of(table['mIoU'], table['IoU']))


def from_truth(study: Study, found: Path) -> None:
    """Score each feature with classifiers that learnt the true masks."""
    out = study.folder / 'scores.json'
    study.run('.dev/svm_upper_bound.py', SIPE, checkpoint_of(found / 'localizer'),
              '--out', str(study.folder / 'counts'), '--method', 'nystroem', '--n-samples',
              str(GT_SAMPLES), '--json', str(out))  # fmt: skip
    table = json.loads(out.read_text())
    for feature, score in table['scores'].items():
        protocol = (
            f'{table["images"]} train images, SVM learns their true masks: upper bound, uses ground '
            f'truth; {GT_SAMPLES} pixels per label, nystroem, no CRF'
        )
        study.add(feature, protocol, score_of(score['mIoU'], score['IoU']), uses_ground_truth=True)


def main() -> None:
    args = parse_args()
    name = Path(SVM).stem if args.source == 'seed' else GT_NAME
    study = Study(Path(args.work_dir) / name / f'seed{args.seed}')
    found = Path(args.work_dir) / Path(SIPE).stem / f'seed{args.seed}'
    start_version = code_version()
    (from_seed if args.source == 'seed' else from_truth)(study, found)
    summary = {
        'name': name,
        'config': SVM if args.source == 'seed' else SIPE,
        'segmenter': None,
        'seed': args.seed,
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
