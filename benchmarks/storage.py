"""What a chain takes on disk and over the network, from measured sizes of files.

    python benchmarks/storage.py --images data/coco_mini/images data/voc_mini/JPEGImages

Image sizes are measured here; those of maps and masks come from benchmarks/results/map_files.json. Writes
benchmarks/results/storage.json and a sentence of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'scaling.md'
COUNT = 1_000_000  # images
SUFFIXES = ('.jpg', '.jpeg')
STRIDE = '4'
GIGABIT = 1e9 / 8  # bytes a second of a network of one gigabit a second


def image_kilobytes(folders: list[Path]) -> tuple[int, float]:
    """Number of JPEG files below the folders and their mean size in KB."""
    files = [p for folder in folders for p in folder.rglob('*') if p.suffix.lower() in SUFFIXES]
    if not files:
        raise SystemExit(f'error: no JPEG below {[str(folder) for folder in folders]}')
    return len(files), sum(path.stat().st_size for path in files) / len(files) / 1e3


def estimate(images: float, maps: float, masks: float) -> dict[str, float]:
    """Gigabytes of a million images, and minutes of one gigabit for one pass over them."""
    return {
        'images_gb': round(COUNT * images / 1e6, 1),
        'maps_gb': round(COUNT * maps / 1e6, 1),
        'masks_gb': round(COUNT * masks / 1e6, 2),
        'pass_minutes': round(COUNT * images * 1e3 / GIGABIT / 60, 1),
    }


def sentence(results: dict[str, Any]) -> str:
    """What docs/scaling.md says of a million images."""
    found = results['a_million']
    return (
        f'A million images take {found["images_gb"]:g} GB as JPEG (mean of '
        f'{results["measured_images"]} files of VOC and COCO), {found["maps_gb"]:g} GB of maps at stride '
        f'{STRIDE} and {found["masks_gb"]:g} GB of masks; reading the images once takes '
        f'{found["pass_minutes"]:g} minutes at 1 Gbit/s (`benchmarks/storage.py`).'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--images', nargs='+', type=Path, required=True, help='folders of JPEG files'
    )
    args = parser.parse_args()
    measured = json.loads((ROOT / 'benchmarks' / 'results' / 'map_files.json').read_text())[
        'results'
    ]
    count, image_kb = image_kilobytes(args.images)
    map_kb = measured['by_stride'][STRIDE]['kilobytes_per_image']
    mask_kb = measured['mask_kilobytes_per_image']
    results = {
        'measured_images': count,
        'image_kb': round(image_kb, 1),
        'map_kb': map_kb,
        'mask_kb': mask_kb,
        'a_million': estimate(image_kb, map_kb, mask_kb),
    }
    common = runpy.run_path(str(ROOT / 'benchmarks' / 'common.py'))
    common['write_json'](ROOT / 'benchmarks' / 'results' / 'storage.json', results)
    markers = r'(<!-- storage:start -->\n).*?(<!-- storage:end -->)'
    text = PAGE.read_text(encoding='utf-8')
    PAGE.write_text(
        re.sub(markers, lambda m: f'{m[1]}{sentence(results)}\n{m[2]}', text, flags=re.DOTALL),
        'utf-8',
    )


if __name__ == '__main__':
    main()
