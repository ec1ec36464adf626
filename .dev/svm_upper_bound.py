"""How well per-image classifiers label images when they learn from the true masks, by feature.

Fits the classifier of `SVMExpansion` on each image's true mask, labels all of its pixels and scores them
against the same mask: an upper bound of what such a classifier can make of perfect labels, not a weakly
supervised result. Laid out as table 1 of Lyu et al. (ICPRAM 2024).

Example::

    python .dev/svm_upper_bound.py configs/sipe/sipe_mobilenetv2_vocmini.py \\
        work_dirs/sipe_mobilenetv2_vocmini/epoch_12.pth --out work_dirs/svm_gt --json svm_gt.json

Counts are kept per image in the folder of `--out`: run again, it goes on where it stopped, and features may
be added. Exit code 1: some images failed and are named; the scores are those of the others.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.evaluation.folder import MeanIoUScore
from mmwsss.evaluation.tables import percent
from mmwsss.functional.svm import fit_pixel_svm
from mmwsss.io import (
    atomic_path,
    hash_file,
    hash_text,
    load_mask,
    process_items,
    read_id_list,
    safe_join,
    write_json,
)
from mmwsss.io.record import plain_values
from mmwsss.refine.svm_expansion import SVMExpansion, stack_features
from mmwsss.stages.image_list import Images
from mmwsss.utils.cli import add_config_arguments, add_workers_argument, finish_report, run_tool
from mmwsss.utils.config import load_config

# Submodules of a backbone that give F1 .. F5, strides 2, 4, 8, 16, 16.
LAYERS = {
    'ResNet': ('relu', 'layer1', 'layer2', 'layer3', 'layer4'),
    'ResNetV1c': ('stem', 'layer1', 'layer2', 'layer3', 'layer4'),
    'ResNetV1d': ('stem', 'layer1', 'layer2', 'layer3', 'layer4'),
    'MobileNetV2': ('layer1', 'layer2', 'layer3', 'layer5', 'layer7'),
    # Expansions: 96, 144, 288, 720, 1248 channels in variant 2.
    'EfficientNetLite': tuple(f'blocks.{stage}.0.act1' for stage in (1, 2, 3, 5, 6)),
}
RGB = 'RGB'
PAPER = {'RGB': 65.97, 'F1': 96.67, 'F2': 95.44, 'F3': 95.15, 'F4': 90.46, 'F5': 75.92}
SOURCE = 'Lyu et al., ICPRAM 2024, table 1: VOC 2012 train, their network'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='weights of the network whose features are used')
    parser.add_argument('--out', required=True, help='folder for the counts of each image')
    parser.add_argument(
        '--gt', help='folder of true masks (default: that of val_dataloader in the config)'
    )
    parser.add_argument('--list', help='file of image ids, instead of the whole map_dataset')
    parser.add_argument(
        '--features',
        nargs='+',
        default=list(PAPER),
        help='RGB, F1 .. F5, or several joined as F2+F5 (default: all six alone)',
    )
    parser.add_argument(
        '--layers', nargs='+', help="submodules of the backbone for F1 .. (default: the backbone's)"
    )
    parser.add_argument('--method', choices=('exact', 'nystroem'), default='exact')
    parser.add_argument('--max-iter', type=int, default=-1, help="steps of a machine's solver")
    parser.add_argument('--n-samples', type=int, default=2500, help='pixels per label')
    parser.add_argument('--seed', type=int, default=0, help='of the drawing of pixels')
    parser.add_argument('--device', default='cpu', help='where the network runs')
    parser.add_argument('--json', help='write the scores to this file')
    add_workers_argument(parser)
    return parser.parse_args(argv)


class UpperBound:
    """Counts of one image: areas (3, C) by feature.

    Args:
        refiner: Gives the features and how to fit.
        features: Names, parts joined by ``+``.
        images: The images.
        gt: Folder of true masks.
        out: Folder for the counts.
    """

    def __init__(
        self, refiner: SVMExpansion, features: Sequence[str], images: Images, gt: Path, out: Path
    ) -> None:
        self.refiner, self.features, self.images = refiner, list(features), images
        self.gt, self.out = gt, out

    def path(self, name: str) -> Path:
        """File of an image's counts."""
        return safe_join(self.out, name, '.npz')

    def counts(self, name: str) -> dict[str, np.ndarray]:
        """Counts that are there already; none of a file that is cut short."""
        try:
            with np.load(self.path(name), allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return {}

    def is_done(self, name: str) -> bool:
        """Whether all features of an image are counted."""
        return set(self.features) <= set(self.counts(name))

    def start(self, name: str) -> list[np.ndarray]:
        """What the network says about an image."""
        if self.refiner.network is None:
            return []
        image = load_rgb(self.images.paths[name], name)
        return [output.cpu().numpy() for output in self.refiner.layer_outputs(image)]

    def __call__(self, name: str, outputs: list[np.ndarray] | None = None) -> None:
        """Fit, label and count."""
        outputs = self.start(name) if outputs is None else outputs
        image = load_rgb(self.images.paths[name], name)
        truth = load_mask(
            safe_join(self.gt, name, '.png'), len(self.images.classes), image_size=image.shape[:2]
        ).astype(np.int64)
        counts = self.counts(name)
        score = MeanIoUScore(self.images.classes)
        for feature in self.features:
            if feature not in counts:
                values = self.values(feature, outputs, image)
                machine = fit_pixel_svm(values, truth, **self.refiner.svm)
                counts[feature] = score.count(name, machine.predict(values), truth)[0]
                counts[f'{feature} stopped'] = np.array(machine.stopped)
        with atomic_path(self.path(name)) as temporary:
            np.savez_compressed(temporary, **counts)

    def values(self, feature: str, outputs: list[np.ndarray], image: np.ndarray) -> torch.Tensor:
        """Values (C, H, W) of a feature by name."""
        parts = []
        for part in feature.split('+'):
            chosen = [] if part == RGB else [torch.from_numpy(outputs[int(part[1:]) - 1])]
            parts.append(stack_features(chosen, image))
        return torch.cat(parts) if len(parts) > 1 else parts[0]


def check_features(features: Sequence[str], layers: Sequence[str]) -> None:
    """Refuse names other than RGB and F1 .. Fn."""
    known = [RGB, *(f'F{i + 1}' for i in range(len(layers)))]
    wrong = sorted({part for f in features for part in f.split('+')} - set(known))
    if wrong or len(set(features)) < len(features):
        raise ValueError(f'--features must be different ones of {known}, joined by +, but got '
                         f'{list(features)}')  # fmt: skip


def layers_of(cfg: Any, given: Sequence[str] | None) -> tuple[str, ...]:
    """Submodules for F1, F2 ..."""
    kind = cfg.model.backbone.type
    if given is None and kind not in LAYERS:
        raise ValueError(f'name the submodules of {kind} for F1 .. with --layers')
    return tuple(given or LAYERS[kind])


def true_masks(cfg: Any, given: str | None) -> Path:
    """Folder of true masks: the given one, or that of the validation dataset."""
    if given is None:
        dataset = cfg.get('val_dataloader', {}).get('dataset', {})
        prefix = dataset.get('data_prefix', {}).get('seg_map_path')
        if prefix is None:
            raise ValueError('val_dataloader has no masks: name the folder with --gt')
        given = Path(dataset.get('data_root', ''), prefix)
    if not Path(given).is_dir():
        raise FileNotFoundError(f'folder of true masks not found: {given}')
    return Path(given)


def open_folder(out: Path, settings: dict[str, Any]) -> None:
    """Note how the counts are made; refuse a folder of other counts."""
    path = out / 'settings.json'
    if path.is_file():
        found = json.loads(path.read_text(encoding='utf-8'))
        different = [key for key in settings if found.get(key) != settings[key]]
        if different:
            key = different[0]
            raise ValueError(
                f'{out} holds counts with {key} = {found.get(key)}, but {settings[key]} is asked '
                'for; choose another folder'
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f'{out} holds files of unknown origin; choose another folder')
    write_json(path, settings)


def add_up(work: UpperBound, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Scores of each feature over all images, and how many machines did not converge."""
    scores = {feature: MeanIoUScore(work.images.classes) for feature in work.features}
    for name in names:
        counts = work.counts(name)
        for feature, score in scores.items():
            score.add((counts[feature], 0))
    return {
        feature: {
            **score.result(),
            'stopped': sum(int(work.counts(name)[f'{feature} stopped']) for name in names),
        }
        for feature, score in scores.items()
    }


def table(scores: dict[str, float], what: str) -> str:
    """The paper's row and ours, as markdown."""
    names = list(dict.fromkeys([*PAPER, *scores]))
    published = [f'{PAPER[name]:.2f}' if name in PAPER else '' for name in names]
    ours = [percent(scores[name]) if name in scores else '' for name in names]
    rows = [['mIoU %', *names], ['---'] * (len(names) + 1), [f'published ({SOURCE})', *published]]
    return '\n'.join('| ' + ' | '.join(row) + ' |' for row in [*rows, [what, *ours]])


def main(args: argparse.Namespace) -> int:
    if any(key.split('.')[0] == 'model' for key in args.cfg_options or {}):
        raise ValueError('--cfg-options cannot change the model: give a config of that model')
    cfg = load_config(args.config, args.cfg_options)
    layers = layers_of(cfg, args.layers)
    check_features(args.features, layers)
    gt, out, images = true_masks(cfg, args.gt), Path(args.out), Images(cfg.map_dataset)
    ids = images.choose(read_id_list(args.list) if args.list else None)
    svm = {
        'n_samples': args.n_samples,
        'method': args.method,
        'seed': args.seed,
        'max_iter': args.max_iter,
    }
    refiner = SVMExpansion(args.config, args.checkpoint, layers, device=args.device, **svm)
    made = {
        'model': hash_text(json.dumps(cfg.model.to_dict(), sort_keys=True, default=str)),
        'checkpoint': hash_file(args.checkpoint),
        'layers': list(layers),
        'classes': images.classes,
        'gt': str(gt),
        **svm,
    }
    open_folder(out, made)
    work = UpperBound(refiner, args.features, images, gt, out)
    first = work.start if refiner.uses_accelerator else None
    report = process_items(ids, work, work.is_done, 'images', args.workers, first=first)
    finished = [name for name in ids if name not in report.failed]
    results = add_up(work, finished)
    what = (
        f'{len(finished)} images, {args.config}, {args.method}, {args.n_samples} pixels per label'
    )
    print(table({name: result['mIoU'] for name, result in results.items()}, what))
    if args.json:
        content = {
            'what': 'labels of per-image classifiers fit on the true masks: an upper bound',
            'images': len(finished),
            'failed': report.failed,
            'config': args.config,
            'settings': made,
            'scores': results,
            'published': {'source': SOURCE, 'mIoU_percent': PAPER},
        }
        write_json(args.json, plain_values(content))
    return finish_report(report)


if __name__ == '__main__':
    run_tool(main, parse_args())
