"""Multi-scale, mirrored class maps against the backbone passes they cannot avoid.

    python benchmarks/maps.py --out work_dirs/benchmarks/maps.json
    python benchmarks/maps.py --config CONFIG --checkpoint FILE --images DIR --agreement

Time: ``ImageLevelClassifier.class_maps`` of one 500x375 image at the scales of the config, with mirrors,
over the backbone alone on the same views. Agreement: share of pixels of threshold-free masks that stay the
same with ``--precision bfloat16`` or ``float16`` and channels-last, on real images with a trained model.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ratio_of, time_together, write_json
from mmseg.registry import MODELS
from PIL import Image

from mmwsss.functional import scale_view
from mmwsss.models import ImageLevelClassifier
from mmwsss.stages.load import load_localizer
from mmwsss.utils.config import load_config

GOAL_TIME, GOAL_CHANGED = 1.2, 0.005


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', default='configs/sipe/sipe_r50_voc.py')
    parser.add_argument('--checkpoint', help='weights; random ones by default')
    parser.add_argument('--images', help='folder of JPEG images for --agreement')
    parser.add_argument('--agreement', action='store_true', help='compare masks, not times')
    parser.add_argument('--limit', type=int, default=20, help='images for --agreement')
    parser.add_argument('--size', type=int, nargs=2, default=(375, 500), help='height and width')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--out', default='work_dirs/benchmarks/maps.json')
    return parser.parse_args()


def build(args: argparse.Namespace) -> ImageLevelClassifier:
    cfg = load_config(args.config)
    if args.checkpoint:
        return load_localizer(cfg, args.checkpoint, args.device)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    return MODELS.build(cfg.model).to(args.device).eval()


def two_classes(model: ImageLevelClassifier, device: str) -> torch.Tensor:
    label = torch.zeros(model.head.num_classes, device=device)
    label[:2] = 1
    return label


def timing(model: ImageLevelClassifier, args: argparse.Namespace) -> dict[str, Any]:
    image = torch.randn(3, *args.size, device=args.device)
    label = two_classes(model, args.device)
    cfg = model.test_cfg

    @torch.no_grad()
    def backbone() -> None:
        for scale in cfg['scales']:
            model.extract_feat(scale_view(image, scale, cfg['flip']))

    works = {'backbone': backbone, 'maps': lambda: model.class_maps(image, label)}
    seconds = time_together(works, repeats=args.repeats)
    result = ratio_of(seconds['maps'], seconds['backbone'])
    return {'size': list(args.size), 'scales': list(cfg['scales']), 'goal': GOAL_TIME, **result}


def read_image(path: Path, model: ImageLevelClassifier, device: str) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(Image.open(path).convert('RGB'))).permute(2, 0, 1).float()
    processor = model.data_preprocessor
    return (pixels.to(device) - processor.mean) / processor.std


@torch.no_grad()
def mask_of(model: ImageLevelClassifier, image: torch.Tensor, label: torch.Tensor) -> np.ndarray:
    _, keys, maps = model.class_maps(image, label)
    return keys[maps.argmax(dim=0)].cpu().numpy()


def agreement(model: ImageLevelClassifier, args: argparse.Namespace) -> dict[str, Any]:
    paths = sorted(Path(args.images).glob('*.jpg'))[: args.limit]
    if not paths:
        raise SystemExit(f'error: no .jpg images in {args.images}')
    images = [read_image(path, model, args.device) for path in paths]
    # The classes that the model finds in float32; maps of classes that are not there are noise.
    labels = [model.predict_label(image) for image in images]

    def masks(precision: str = 'float32') -> list[np.ndarray]:
        model.test_cfg['precision'] = precision
        return [mask_of(model, image, label) for image, label in zip(images, labels)]

    plain = masks()
    changed: dict[str, Any] = {'images': len(paths), 'goal': GOAL_CHANGED}
    for name in ('bfloat16', 'float16'):
        changed[f'precision={name}'] = changed_share(plain, masks(name))
    model.to(memory_format=torch.channels_last)
    changed['channels_last'] = changed_share(plain, masks())
    return changed


def changed_share(plain: list[np.ndarray], other: list[np.ndarray]) -> dict[str, float]:
    """Share of pixels with another class: over all images, and in the worst one."""
    different = [float((a != b).mean()) for a, b in zip(plain, other)]
    pixels = sum(mask.size for mask in plain)
    total = sum(int((a != b).sum()) for a, b in zip(plain, other))
    return {'all': total / pixels, 'worst_image': max(different)}


def main() -> None:
    args = parse_args()
    model = build(args)
    work = agreement if args.agreement else timing
    write_json(args.out, {Path(args.config).stem: work(model, args)})


if __name__ == '__main__':
    main()
