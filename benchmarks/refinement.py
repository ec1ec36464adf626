"""What each refinement adds, for one seed: class maps, + dense CRF, + IRNet's walk, + both.

    python benchmarks/refinement.py configs/irn/irn_mobilenetv2_vocmini.py --seed 0

starts from the class maps that `benchmarks/study.py` left for the same seed: writes the confident labels,
trains IRNet on them, and makes and scores the four kinds of masks on the training images. Every score names
the minutes of its own steps. Steps that are done are skipped; the summary in results/ is what
`.dev/results_table.py` reads.
"""

from __future__ import annotations

import argparse
import json
import shlex
from datetime import date
from pathlib import Path

from study import Study, hardware, latest, score_of, truth_of, views, write_json

from mmwsss.io import code_version
from mmwsss.utils.config import load_config

SIPE = 'configs/sipe/sipe_mobilenetv2_vocmini.py'
CRF = [{'type': 'DenseCRF', 'from_labels': True}]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config',
        help='config of an IRNet; beside it lies NAME_labels.py, and ablations/NAME_crf.py',
    )
    parser.add_argument('--localizer', default=SIPE, help='config that the class maps were made by')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--maps', help='class maps, if not those of the localizer in the work dir')
    parser.add_argument('--work-dir', default='work_dirs/study', help='folder for all outputs')
    parser.add_argument('--results', default='results', help='folder for the summary')
    return parser.parse_args(argv)


class Refinement:
    """The steps of one seed.

    Args:
        study: runs the commands.
        args: the command line.
        maps: folder of class maps.
    """

    def __init__(self, study: Study, args: argparse.Namespace, maps: str) -> None:
        self.study, self.args, self.maps = study, args, maps
        cfg = load_config(args.localizer)
        self.truth, self.ids = truth_of(cfg.val_dataloader.dataset)
        self.views = views(cfg)

    def timed(self, *arguments: str) -> float:
        """Run a step; the minutes it took, now or when it was done."""
        self.study.run(*arguments)
        command = shlex.join(['python', *arguments])
        return next(s for s in self.study.steps[::-1] if s['command'] == command)['seconds'] / 60

    def train(self, config: str) -> tuple[str, float, float]:
        """Write confident labels and train IRNet: its checkpoint, minutes of both steps."""
        labels, training = (str(self.study.folder / name) for name in ('labels', 'irnet'))
        writing = self.timed('tools/make_masks.py', config.replace('.py', '_labels.py'), '--maps',
                             self.maps, '--out', labels)  # fmt: skip
        learning = self.timed('tools/train.py', config, '--work-dir', training, '--seed',
                              str(self.args.seed), '--cfg-options', f'pseudo_mask_dir={labels}')  # fmt: skip
        return latest(Path(training)), writing, learning

    def masks(self, name: str, what: str, how: str, config: str, *options: str) -> float:
        """Make and score one kind of masks; the minutes of making them."""
        out = str(self.study.folder / name)
        minutes = self.timed('tools/make_masks.py', config, '--maps', self.maps, *options,
                             '--out', out)  # fmt: skip
        scored = f'{out}.json'
        self.study.run('tools/eval_masks.py', out, self.truth, '--list', self.ids, '--json', scored)
        table = json.loads(Path(scored).read_text())
        protocol = f'{table["images"]} train images, maps of {self.views}, no threshold, {how}'
        self.study.add(
            what,
            protocol,
            score_of(table['mIoU'], table['IoU']),
            bool(table['uses_ground_truth']),
        )
        self.study.scores[-1]['minutes'] = round(minutes, 2)
        return minutes


def main() -> None:
    args = parse_args()
    name = Path(args.config).stem
    study = Study(Path(args.work_dir) / name / f'seed{args.seed}')
    found = Path(args.work_dir) / Path(args.localizer).stem / f'seed{args.seed}' / 'maps'
    steps, start_version = Refinement(study, args, args.maps or str(found)), code_version()
    steps.masks('maps_masks', 'maps', 'no CRF', args.localizer)
    crf = ('--cfg-options', f'mask_cfg.refiners={json.dumps(CRF)}')
    steps.masks('maps_crf', 'maps + CRF', 'CRF on the labels', args.localizer, *crf)
    checkpoint, writing, learning = steps.train(args.config)
    walk = ('--cfg-options', f'mask_cfg.refiners.0.checkpoint={checkpoint}')
    steps.masks('walk', 'maps + IRNet walk', 'no CRF', args.config, *walk)
    with_crf = f'{Path(args.config).parent}/ablations/{name}_crf.py'
    steps.masks('walk_crf', 'maps + IRNet walk + CRF', 'CRF on the labels', with_crf, *walk)
    minutes = {'labels': round(writing, 2), 'training': round(learning, 2)}
    summary = {
        'name': name,
        'config': args.config,
        'segmenter': None,
        'seed': args.seed,
        'code': start_version,
        'date': date.today().isoformat(),
        'hardware': hardware(),
        'minutes': minutes,
        'steps': study.steps,
        'scores': study.scores,
    }
    path = Path(args.results) / name / f'seed{args.seed}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, summary)
    print(f'wrote {path}; minutes: {minutes}')
    for score in study.scores:
        print(f'{score["what"]}: {score["mIoU"]:.2f} mIoU, {score["minutes"]} minutes')


if __name__ == '__main__':
    main()
