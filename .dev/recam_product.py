"""Why ReCAM's signed product fails behind EfficientNet-Lite2: the figures of docs/methods/recam.md.

    python .dev/recam_product.py work_dirs/cam_lite2_voc12part/epoch_2.pth --data-root data/voc12_part

Trains both layers of ReCAM on the frozen features of a trained CAM (400 images at 224 x 224, as many steps as
the recipe) and scores maps of 100 images of VOC's train at one scale, at the best threshold of a sweep.
Three CPU minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from PIL import Image
from torch import Tensor, nn

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.functional import iou_from_areas, mean_iou, threshold_counts
from mmwsss.functional.recam import class_features, present_class_loss
from mmwsss.io import load_mask, read_id_list
from mmwsss.stages.image_list import Images, images_only
from mmwsss.utils.checkpoint import load_checkpoint_file, load_weights
from mmwsss.utils.config import load_config

CONFIG = 'configs/cam/cam_lite2_voc12part.py'
STEPS, BATCH, TRAINED, SCORED = 362, 16, 400, 100
THRESHOLDS = np.arange(0.1, 0.8, 0.05)
RATES = (2e-4, 2e-3, 2e-2)  # of the second layer; the first has 2e-5


@torch.no_grad()
def feature_of(model: nn.Module, photo: np.ndarray) -> Tensor:
    """The last feature (C, h, w) of an RGB image."""
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float()
    return model.extract_feat((pixels - 127) / 128)[-1][0]


def trained(features: Tensor, labels: Tensor, first: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """Both layers' weights (K, C) after ReCAM's training on rectified features (N, C, h, w)."""
    torch.manual_seed(0)
    first = first.clone().requires_grad_()
    second = nn.Linear(first.shape[1], len(first), bias=False).weight
    rates = (2e-5, rate)
    groups = [{'params': [w], 'lr': lr} for w, lr in zip((first, second), rates)]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    for step in range(STEPS):
        for group, lr in zip(optimizer.param_groups, rates):
            group['lr'] = lr * (1 - step / STEPS) ** 0.9
        batch = torch.randint(len(features), (BATCH,))
        logits = torch.einsum('kc,nchw->nkhw', first, features[batch])
        own = class_features(logits, features[batch])
        loss = F.multilabel_soft_margin_loss(logits.mean((2, 3)), labels[batch])
        loss = loss + present_class_loss(F.linear(own, second), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return first.detach(), second.detach()


def best_miou(weight: Tensor, scored: list[tuple[Tensor, np.ndarray]]) -> float:
    """mIoU of the maps under (K, C) weights at the best threshold, for (feature, true mask) pairs."""
    total: list[np.ndarray | int] = [0, 0, 0]
    for feature, truth in scored:
        present = np.array([int(k) for k in np.unique(truth) if 0 < k < 255])
        maps = torch.einsum('kc,chw->khw', weight[present - 1], feature).relu()
        maps = maps / (maps.amax((1, 2), keepdim=True) + 1e-5)
        full = F.interpolate(maps[None], truth.shape, mode='bilinear')[0].numpy()
        counts = threshold_counts(full, present, truth, THRESHOLDS, 21)
        total = [one + other for one, other in zip(total, counts)]
    return 100 * float(mean_iou(iou_from_areas(*total)).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint')
    parser.add_argument('--data-root', type=Path, default=Path('data/voc12_part'))
    args = parser.parse_args()
    cfg = load_config(CONFIG, {'data_root': str(args.data_root)})
    model = MODELS.build(cfg.model)
    load_weights(model, load_checkpoint_file(args.checkpoint), args.checkpoint)
    model.eval()
    images = Images(images_only(cfg.map_dataset))
    names = np.random.default_rng(0).permutation(list(images.paths))[:TRAINED]
    labels, features = torch.zeros(TRAINED, 20), []
    for row, name in enumerate(names):
        labels[row, [k - 1 for k in images.labels[name]]] = 1
        photo = Image.fromarray(load_rgb(images.paths[name], name)).resize((224, 224))
        features.append(feature_of(model, photo))
    scored = []
    lists = args.data_root / 'ImageSets' / 'Segmentation'
    for name in read_id_list(lists / 'train_voc12.txt')[:SCORED]:
        truth = load_mask(args.data_root / 'SegmentationClassAug' / f'{name}.png')
        scored.append((feature_of(model, load_rgb(images.paths[name], name)).relu(), truth))
    cam = model.head.classifier.weight.detach().flatten(1)
    print(f'CAM on rectified features: {best_miou(cam, scored):.2f}')
    for rate in RATES:
        first, second = trained(torch.stack(features).relu(), labels, cam, rate)
        against = ((first < 0) & (second < 0)).float().mean()
        scores = {
            'signed': best_miou(first * second, scored),
            'positive': best_miou(first.relu() * second.relu(), scored),
            'second layer alone': best_miou(second, scored),
        }
        text = ', '.join(f'{name} {score:.2f}' for name, score in scores.items())
        print(f'rate {rate}: {text}; {100 * against:.0f} % negative in both')


if __name__ == '__main__':
    main()
