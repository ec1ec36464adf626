"""How many of wrongly flipped labels an audit names first: the figures of docs/own_data.md.

Flips 5 % of the labels of the 2,899 training images of `voc12_part`, classes taken out and put in apart, and
ranks labels by self-confidence: of linear probes that have not seen the image (5 folds), and of one that has.
Probes: a linear layer on the mean of the last features of an ImageNet EfficientNet-Lite2 at 224 x 224 pixels,
which are kept in --features; about 15 CPU minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from PIL import Image

from mmwsss.datasets.subsets import split_folds
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.functional.label_audit import self_confidence
from mmwsss.stages.image_list import Images, images_only
from mmwsss.utils.config import load_config

CONFIG = 'configs/cam/cam_lite2_voc12part.py'
FOLDS, SHARE, SEEDS, SIDE = 5, 0.05, (0, 1, 2), 224
PENALTIES = {'fits its labels': 1e-4, 'best mAP': 1e-2}  # times the sum of squared weights


def extract(data_root: str, pretrained: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean features (N, C) and labels (N, K) of the images."""
    cfg = load_config(CONFIG, {'data_root': data_root, 'pretrained': pretrained})
    images = Images(images_only(cfg.map_dataset))
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.eval()
    features, labels = [], np.zeros((len(images.paths), 20), bool)
    for row, (name, path) in enumerate(images.paths.items()):
        labels[row, np.array(images.labels[name]) - 1] = True
        photo = Image.fromarray(load_rgb(path, name)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            features.append(model.extract_feat((pixels - 127) / 128)[-1].mean((2, 3))[0].numpy())
    return np.stack(features), labels


def probe(features: torch.Tensor, labels: np.ndarray, penalty: float) -> torch.nn.Linear:
    """A linear layer fitted by L-BFGS."""
    layer = torch.nn.Linear(features.shape[1], labels.shape[1])
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=60, history_size=10, line_search_fn='strong_wolfe'
    )
    wanted = torch.from_numpy(labels).float()

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(layer(features), wanted) * labels.shape[1]
        value = value + penalty * layer.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return layer


@torch.no_grad()
def scores(layer: torch.nn.Linear, features: torch.Tensor) -> np.ndarray:
    """Probabilities (N, K)."""
    return layer(features).sigmoid().numpy()


def held_out(features: torch.Tensor, labels: np.ndarray, penalty: float, seed: int) -> np.ndarray:
    """Probabilities by probes that have not seen the image."""
    named = {str(row): (np.flatnonzero(label) + 1).tolist() for row, label in enumerate(labels)}
    found = np.zeros(labels.shape)
    for fold in split_folds(named, FOLDS, seed):
        inside = np.isin(np.arange(len(labels)), np.array(fold, int))
        layer = probe(features[~inside], labels[~inside], penalty)
        found[inside] = scores(layer, features[inside])
    return found


def flipped(labels: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Labels without 5 % of the classes that they have, or with as many that they have not."""
    places = np.argwhere(labels if kind == 'missing' else ~labels)
    number = round(SHARE * labels.sum())
    chosen = np.random.default_rng(seed).permutation(len(places))[:number]
    changed = labels.copy()
    changed[tuple(places[chosen].T)] ^= True
    return changed


def precision(probabilities: np.ndarray, labels: np.ndarray, truth: np.ndarray, kind: str) -> float:
    """Share of the flipped ones among the first labels of a kind, as many as were flipped."""
    asked = labels if kind == 'surplus' else ~labels
    order = np.argsort(self_confidence(probabilities, labels)[asked], kind='stable')
    wrong = (labels != truth)[asked]
    return float(100 * wrong[order[: wrong.sum()]].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data-root', default='data/voc12_part')
    parser.add_argument('--pretrained', required=True, help='weights of EfficientNet-Lite2')
    parser.add_argument('--features', type=Path, default=Path('work_dirs/label_audit.npz'))
    args = parser.parse_args()
    if not args.features.is_file():
        args.features.parent.mkdir(parents=True, exist_ok=True)
        features, labels = extract(args.data_root, args.pretrained)
        np.savez(args.features, features=features, labels=labels)
    kept = np.load(args.features)
    features, truth = torch.from_numpy(kept['features']), kept['labels']
    features = (features - features.mean(0)) / features.std(0)
    print('| probe | flipped | chance | no folds | folds |\n|---|---|---|---|---|')
    for name, penalty in PENALTIES.items():
        for kind in ('missing', 'surplus'):
            rows = []
            for seed in SEEDS:
                labels = flipped(truth, kind, seed)
                own = scores(probe(features, labels, penalty), features)
                others = held_out(features, labels, penalty, seed)
                chance = (
                    100 * (labels != truth).sum() / (~labels if kind == 'missing' else labels).sum()
                )
                rows.append([chance, *(precision(p, labels, truth, kind) for p in (own, others))])
            mean, low, high = np.mean(rows, 0), np.min(rows, 0), np.max(rows, 0)
            cells = [f'{m:.1f} ({a:.1f} to {b:.1f})' for m, a, b in zip(mean, low, high)]
            print(f'| {name} | {kind} | {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main()
