"""Disk use of class maps and masks on COCO images, and what that makes for all of COCO 2014.

A map file holds float16 scores (n, h, w), n the labels of the image plus one if the localizer has a
background, h = ceil(H / stride), w = ceil(W / stride): 2 n h w bytes before the lossless compression. The
sizes after it are measured on images of coco_mini with VOC's classes; labels per image are those of
coco_mini's files with COCO's 80 classes.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import write_json
from mmseg.registry import DATASETS

from mmwsss.datasets.coco import COCO14WSSSDataset
from mmwsss.io import save_class_maps
from mmwsss.stages.load import load_localizer
from mmwsss.stages.maps import compute_class_maps

ROOT = Path(__file__).resolve().parents[1]
STRIDES = (1, 4, 8)
COCO_IMAGES = COCO14WSSSDataset.EXPECTED_COUNTS['train']


def dataset_of(root: Path) -> Any:
    """Images with VOC's classes, labels from their masks."""
    return DATASETS.build(
        dict(
            type='VOC12WSSSDataset',
            data_root=str(root / 'voc20'),
            data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
            ann_file='ImageSets/Segmentation/val.txt',
            labels=dict(source='masks'),
            expected_count=0,
            test_mode=True,
            pipeline=[dict(type='LoadImage'), dict(type='PackWSSSInputs')],
        )
    )


def labels_per_image(root: Path) -> float:
    """Mean number of different classes of an image that has any."""
    labels: dict[int, set[int]] = {}
    for path in sorted((root / 'annotations').glob('instances_*.json')):
        for annotation in json.loads(path.read_text(encoding='utf-8'))['annotations']:
            labels.setdefault(annotation['image_id'], set()).add(annotation['category_id'])
    return statistics.mean(map(len, labels.values()))


def measure(model: Any, items: list[dict[str, Any]], stride: int, labels: float) -> dict[str, Any]:
    """Bytes of the files of some images at one stride, per image and per score."""
    model.test_cfg['stride'] = stride
    sizes, scores, pixels = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for index, item in enumerate(items):
            maps = compute_class_maps(model, item)
            path = Path(folder) / f'{index}.npz'
            save_class_maps(path, maps)
            sizes.append(path.stat().st_size)
            scores.append(maps.scores.size)
            pixels.append(maps.scores[0].size)
    per_score = sum(sizes) / sum(scores)
    channels = labels + model.head.has_background
    each = statistics.mean(pixels) * channels * per_score
    return {
        'bytes_per_score': round(per_score, 3),
        'of_uncompressed': round(per_score / 2, 3),
        'kilobytes_per_image': round(each / 1e3, 1),
        'uncompressed_kilobytes_per_image': round(statistics.mean(pixels) * channels * 2 / 1e3, 1),
        'gigabytes_coco14': round(each * COCO_IMAGES / 1e9, 1),
    }


def table(results: dict[str, Any]) -> str:
    """The table of docs/scaling.md."""
    lines = [
        '| stride | KB per image, uncompressed | KB per image, file | GB for 82,081 images |',
        '|---|---|---|---|',
    ]
    for stride, found in results['by_stride'].items():
        before, after = found['uncompressed_kilobytes_per_image'], found['kilobytes_per_image']
        lines.append(f'| {stride} | {before:g} | {after:g} | {found["gigabytes_coco14"]:g} |')
    lines.append(
        f'| masks, full size | | {results["mask_kilobytes_per_image"]:g} | '
        f'{results["masks_gigabytes_coco14"]:g} |'
    )
    count = f'{results["images"]} images, {results["labels_per_image"]:g} labels per image'
    return '\n'.join([*lines, '', f'{count} (mean of the 80-class annotations of coco_mini).'])


def with_table(page: str, results: dict[str, Any]) -> str:
    """docs/scaling.md with the table between its markers replaced."""
    markers = r'(<!-- map_files:start -->\n).*?(<!-- map_files:end -->)'
    return re.sub(markers, lambda m: f'{m[1]}{table(results)}\n{m[2]}', page, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--data', type=Path, default=Path('data/coco_mini'))
    parser.add_argument('--images', type=int, default=12)
    parser.add_argument('--json', default='benchmarks/results/map_files.json')
    args = parser.parse_args()
    model = load_localizer(args.config, args.checkpoint)
    dataset, labels = dataset_of(args.data), labels_per_image(args.data)
    items = [dataset[i] for i in range(min(args.images, len(dataset)))]
    masks = [
        p.stat().st_size for p in sorted((args.data / 'voc20/SegmentationClass').glob('*.png'))
    ]
    results = {
        'config': args.config,
        'images': len(items),
        'labels_per_image': round(labels, 2),
        'coco14_images': COCO_IMAGES,
        'has_background': model.head.has_background,
        'mask_kilobytes_per_image': round(statistics.mean(masks) / 1e3, 1),
        'masks_gigabytes_coco14': round(statistics.mean(masks) * COCO_IMAGES / 1e9, 2),
        'by_stride': {str(s): measure(model, items, s, labels) for s in STRIDES},
    }
    write_json(args.json, results)
    page = ROOT / 'docs' / 'scaling.md'
    page.write_text(with_table(page.read_text(encoding='utf-8'), results), encoding='utf-8')


if __name__ == '__main__':
    main()
