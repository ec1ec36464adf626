"""Make scribbles of true masks, along the middle of each component. For `results/scribbles_*`.

    python .dev/scribbles.py data/voc12_part/SegmentationClassAug work_dirs/scribbles \
        --list data/voc12_part/ImageSets/Segmentation/train.txt
    mmwsss pipeline configs/pipelines/true_masks.py --cfg-options \
        configs.segmenter=configs/deeplabv2/deeplabv2_lite2_voc12part_pseudo.py \
        segmenter.pseudo_mask_dir=work_dirs/scribbles

A scribble is one connected line, the pixels of the skeleton nearest to its innermost one, three pixels wide.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt
from skimage.graph import MCP
from skimage.measure import label, regionprops
from skimage.morphology import skeletonize

from mmwsss.io import load_mask, read_id_list, save_mask

SHARE, WIDTH = 0.017, 3  # dilated forks make it 2 % of all pixels


def scribble(region: np.ndarray) -> np.ndarray:
    """A line in a connected region, both boolean of shape (H, W); a small region gets a dot."""
    line = skeletonize(region)
    depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    start = np.unravel_index(np.argmax(np.where(line, depth, 0)), line.shape)
    steps, _ = MCP(np.where(line, 1.0, -1.0)).find_costs([start])
    budget = max(1, round(SHARE * region.sum() / WIDTH))
    steps = np.where(line, steps, np.inf)
    nearest = np.argsort(steps, axis=None, kind='stable')[:budget]
    drawn = np.zeros_like(region)
    drawn.flat[nearest[np.isfinite(steps.flat[nearest])]] = True
    return binary_dilation(drawn, np.ones((WIDTH, WIDTH))) & region


def scribbles(mask: np.ndarray) -> np.ndarray:
    """The mask, uint8 of shape (H, W), with 255 where no scribble is; background is scribbled, too."""
    drawn = np.full_like(mask, 255)
    for component in regionprops(label(mask.astype(int) + 1, connectivity=1)):
        if (value := mask[tuple(component.coords[0])]) != 255:
            drawn[component.slice][scribble(component.image)] = value
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('masks', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--list', type=Path, required=True)
    args = parser.parse_args()
    known = total = 0
    for name in read_id_list(args.list):
        drawn = scribbles(load_mask(args.masks / f'{name}.png'))
        save_mask(args.out / f'{name}.png', drawn)
        known, total = known + int((drawn != 255).sum()), total + drawn.size
    print(f'{100 * known / total:.2f} % of the pixels are known')


if __name__ == '__main__':
    main()
