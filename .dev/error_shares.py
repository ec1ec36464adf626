"""Print what is wrong in folders of masks, in percent of the pixels: missed, too much, wrong class.

python .dev/error_shares.py data/voc12_part/SegmentationClassAug work_dirs/*/segmenter_score/predictions
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mmwsss.io import IGNORE_INDEX, load_mask
from mmwsss.visualization.tiles import ERROR_COLOURS, error_kinds


def shares(predicted: Path, truth: Path) -> tuple[int, np.ndarray]:
    """Number of masks, and percent of their labelled pixels that are right and wrong in each way."""
    names = sorted(path.name for path in predicted.glob('*.png'))
    counts = np.zeros(1 + len(ERROR_COLOURS), np.int64)
    for name in names:
        true = load_mask(truth / name)
        kinds = error_kinds(load_mask(predicted / name), true)[true != IGNORE_INDEX]
        counts += np.bincount(kinds, minlength=len(counts))
    return len(names), 100 * counts / counts.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').split('\n')[0])
    parser.add_argument('truth', type=Path, help='folder of true masks')
    parser.add_argument('predicted', type=Path, nargs='+', help='folders of masks')
    args = parser.parse_args()
    for folder in args.predicted:
        number, found = shares(folder, args.truth)
        parts = zip(('right', *ERROR_COLOURS), found)
        print(
            f'{folder}: {number} masks, '
            + ', '.join(f'{kind} {share:.2f}' for kind, share in parts)
        )


if __name__ == '__main__':
    main()
