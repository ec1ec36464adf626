"""Equation 3 of the size weights, read within a class or over the image: three seeds on fixed features.

    python benchmarks/size_readings.py --out work_dirs/benchmarks/size_readings.json

A DeepLabV2 head is trained on the features of an ImageNet MobileNetV2 that stays as it is, which takes
minutes where the mini recipe of configs/size_balanced takes hours: images of long side 321, padded; 149 of
voc_mini and 77 of coco_mini/voc20 to train, 78 of coco_mini/voc20 to test at full size, at one scale. Rows
differ in the loss only (plain: tau 1); each is averaged over the pixels that are not ignored.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from common import write_json
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from PIL import Image
from torch import Tensor

from mmwsss.functional.confusion import confusion_counts, iou_from_counts, mean_iou
from mmwsss.functional.ia_miou import ia_miou
from mmwsss.functional.size_weights import size_balanced_cross_entropy
from mmwsss.io import load_mask, read_id_list
from mmwsss.utils.config import load_config

CONFIG = 'configs/size_balanced/size_balanced_mobilenetv2_mini_ce.py'
SIDE, BATCH, LR = 321, 8, 2e-3
VOC, COCO = Path('data/voc_mini'), Path('data/coco_mini/voc20')
ROWS = {
    'plain': {'tau': 1.0},
    'class': {'tau': 5.0, 'total': 'class'},
    'image': {'tau': 5.0, 'total': 'image'},
}


def images_of(root: Path, split: str, masks: str) -> list[tuple[Path, Path]]:
    ids = read_id_list(root / 'ImageSets' / 'Segmentation' / f'{split}.txt')
    return [(root / 'JPEGImages' / f'{i}.jpg', root / masks / f'{i}.png') for i in ids]


def padded(image: Image.Image, nearest: bool, value: int) -> np.ndarray:
    """Bring the long side to SIDE and pad the rest."""
    scale = SIDE / max(image.size)
    size = tuple(max(1, round(s * scale)) for s in image.size)
    small = np.asarray(image.resize(size, Image.NEAREST if nearest else Image.BILINEAR))
    pad = [(0, SIDE - small.shape[0]), (0, SIDE - small.shape[1])] + [(0, 0)] * (small.ndim - 2)
    return np.pad(small, pad, constant_values=value)


@torch.no_grad()
def features_of(model: torch.nn.Module, path: Path) -> Tensor:
    image = padded(Image.open(path).convert('RGB'), nearest=False, value=127)
    return model.backbone(torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1)[-1]


def train(head, features, labels, options: dict, seed: int, iterations: int) -> None:
    optimizer = torch.optim.AdamW(head.parameters(), lr=LR, weight_decay=0.01)
    order = torch.Generator().manual_seed(seed)
    for i in range(iterations):
        optimizer.param_groups[0]['lr'] = LR * (1 - i / iterations) ** 0.9
        chosen = torch.randperm(len(features), generator=order)[:BATCH]
        logits = head([torch.cat([features[k] for k in chosen])])
        logits = F.interpolate(logits, (SIDE, SIDE), mode='bilinear', align_corners=True)
        loss = size_balanced_cross_entropy(logits, labels[chosen], **options, avg_non_ignore=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def scores_of(head, features, masks, objects) -> dict[str, float]:
    """Scores in percent at the size of the true masks."""
    preds, counts = [], 0
    for feature, mask in zip(features, masks):
        height, width = mask.shape
        size = max(height, width)
        logits = F.interpolate(head([feature]), (size, size), mode='bilinear', align_corners=True)
        preds.append(logits[0, :, :height, :width].argmax(0).numpy())
        counts = counts + confusion_counts(preds[-1], mask, 21)
    scores = ia_miou(preds, masks, objects, include_background=False)
    keys = ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L')
    return {
        'mIoU': 100 * float(mean_iou(iou_from_counts(counts))),
        **{k: 100 * scores[k] for k in keys},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', default='work_dirs/benchmarks/size_readings.json')
    parser.add_argument('--iterations', type=int, default=150)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    args = parser.parse_args()
    register_all_modules()
    cfg = load_config(CONFIG).model
    model = MODELS.build(cfg).eval()
    model.backbone.init_weights()
    model.backbone.eval()
    pairs = images_of(VOC, 'train', 'SegmentationClassAug') + images_of(
        COCO, 'train', 'SegmentationClass'
    )
    tests = images_of(COCO, 'val', 'SegmentationClass')
    features = [features_of(model, image) for image, _ in pairs]
    labels = torch.from_numpy(
        np.stack([padded(Image.fromarray(load_mask(m)), True, 255) for _, m in pairs])
    ).long()
    masks = [load_mask(mask) for _, mask in tests]
    objects = [load_mask(COCO / 'SegmentationObject' / mask.name) for _, mask in tests]
    test_features = [features_of(model, image) for image, _ in tests]
    results: dict[str, dict] = {}
    for seed in args.seeds:
        for name, options in ROWS.items():
            torch.manual_seed(seed)
            head = MODELS.build(cfg.decode_head).train()
            head.init_weights()
            train(head, features, labels, options, seed, args.iterations)
            scores = scores_of(head.eval(), test_features, masks, objects)
            results.setdefault(name, {})[f'seed{seed}'] = scores
            print(name, seed, {key: round(value, 2) for key, value in scores.items()}, flush=True)
    for rows in results.values():
        table = {key: [row[key] for row in rows.values()] for key in scores}
        rows['mean'] = {key: float(np.mean(values)) for key, values in table.items()}
        rows['spread'] = {key: float(np.std(values, ddof=1)) for key, values in table.items()}
    write_json(args.out, {'iterations': args.iterations, **results})


if __name__ == '__main__':
    main()
