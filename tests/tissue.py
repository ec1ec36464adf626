"""Generated images in which every pixel has one of a few textures, like tissue under a microscope."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mmwsss.io import save_mask, voc_palette

CLASSES = ('checks', 'dots', 'stripes')  # sorted, so that the places are the ids in masks


def texture(class_id: int, size: int) -> np.ndarray:
    """Grey values (size, size) of a class."""
    y, x = np.indices((size, size))
    return (
        160.0 * ((y // 4 + x // 4) % 2),
        np.where((y % 6 < 2) & (x % 6 < 2), 230.0, 60.0),
        128 + 90 * np.sin(x * 0.9),
    )[class_id]


def make_tissue(root: Path, count: int, size: int, cells: int = 5, seed: int = 0) -> None:
    """Write ``images``, ``masks`` with ids from 0, and ``names.csv``: Voronoi cells of one to three textures.

    Every third image shows all classes, the others miss one or two.
    """
    rng = np.random.default_rng(seed)
    rows = ['id,class names']
    for number in range(count):
        shown = rng.permutation(len(CLASSES))[: 3 - number % 3]
        points = rng.uniform(0, size, (max(cells, len(shown)), 2))
        grid = np.indices((size, size)).reshape(2, -1).T
        nearest = ((grid[:, None] - points) ** 2).sum(2).argmin(1).reshape(size, size)
        mask = np.resize(shown, len(points))[nearest]
        grey = np.choose(mask, [texture(i, size) for i in range(len(CLASSES))])
        tint = np.array([1.0, 0.8, 0.9]) * rng.uniform(0.85, 1.0)
        pixels = grey[..., None] * tint + rng.normal(0, 12, (size, size, 3))
        path = root / 'images' / f't{number:03d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
        save_mask(root / 'masks' / path.name, mask.astype(np.uint8), voc_palette(256)[1:])
        rows.append(
            f'{path.stem},{";".join(CLASSES[i] for i in sorted(set(mask.ravel().tolist())))}'
        )
    (root / 'names.csv').write_text('\n'.join(rows) + '\n', encoding='utf-8')
