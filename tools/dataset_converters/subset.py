"""Make lists of a part of the training images, with the same fraction of every class.

Example::

    mmwsss data subset configs/cam/cam_mobilenetv2_vocmini.py \\
        --out data/voc_mini_subsets

The images and their labels are those of the config's training dataset, whatever their source. Writes one
list a fraction (train_1of2.txt, ..., named after the dataset's list) and statistics.json with the images
per class. Every class keeps at least one image; each list contains the smaller ones; the same seed gives
the same lists. Use one as train_dataloader.dataset.subset. To train on such a part no list is needed:
--cfg-options fraction=1/4 chooses the same images.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmseg.registry import DATASETS

from mmwsss.datasets.pair_dataset import image_label
from mmwsss.datasets.subsets import FRACTIONS, choose_subsets, subset_statistics
from mmwsss.io import write_ids, write_json
from mmwsss.stages.image_list import parts_of
from mmwsss.utils.cli import add_config_arguments, run_tool
from mmwsss.utils.config import load_config
from mmwsss_command import ToolParser


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ToolParser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('--out', required=True, help='folder for the lists')
    parser.add_argument(
        '--fractions',
        nargs='+',
        type=fraction,
        default=FRACTIONS,
        metavar='F',
        help='parts of each class (default: 1/2 1/4 1/8 1/16)',
    )
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    return parser.parse_args(argv)


def fraction(text: str) -> Fraction:
    """A fraction of a command line."""
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise argparse.ArgumentTypeError(f'not a fraction: {text!r}') from error


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    dataset = training_dataset(cfg)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    labels = {info['img_id']: image_label(dataset, i) for i, info in enumerate(infos)}
    chosen = choose_subsets(labels, {*args.fractions, *FRACTIONS}, args.seed)
    parts = {fraction: chosen[fraction] for fraction in args.fractions}
    statistics = subset_statistics(labels, parts, dataset.metainfo['classes'])
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for fraction, names in parts.items():
        path = out / f'{dataset.split_name}_{fraction.numerator}of{fraction.denominator}.txt'
        write_ids(path, names)
        counts = statistics['parts'][str(fraction)]['images_with_class'].values()
        print(f'{path}: {len(names)} images, {min(counts)} to {max(counts)} of a class')
    write_json(out / 'statistics.json', {'seed': args.seed, **statistics})
    return 0


def training_dataset(cfg: Any) -> Any:
    """The whole training dataset below all wrappers, its images not looked for."""
    dataset, *others = parts_of(cfg.train_dataloader.dataset)
    if others:
        raise ValueError(
            f'lists are made of one dataset, but train_dataloader has {1 + len(others)}'
        )
    options = {
        'subset': None,
        'fraction': None,
        'check_files': 'lazy',
        'unlabeled': 'keep',
        'pipeline': [],
    }
    return DATASETS.build({**dataset, **options})


if __name__ == '__main__':
    run_tool(main, parse_args())
