"""What a segmenter loses for want of scales or of image labels: figures of docs/methods/deeplabv2.md.

    python .dev/segmenter_gap.py configs/deeplabv2/deeplabv2_lite2_voc12part_pseudo.py \
        work_dirs/sipe_lite2_voc12part/segmenter/iter_600.pth --data-root data/voc12_part

Scores every eighth image of val (182 of VOC's) at single scales, at the mean of the softmax over several, and
with the classes that an image does not have left out. Four CPU minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.functional import confusion_counts, iou_from_counts, mean_iou
from mmwsss.io import load_mask
from mmwsss.stages.image_list import Images, images_only
from mmwsss.stages.load import load_model
from mmwsss.utils.config import load_config

SCALES = (1.0, 0.75, 0.5, 1.5)
CHOICES = ((1.0,), (0.75,), (0.5,), (1.0, 0.5), (1.0, 0.75, 0.5), (1.0, 0.5, 1.5))
EVERY = 8


@torch.no_grad()
def scores(model: Any, photo: np.ndarray, scale: float) -> Tensor:
    """Softmax scores (K, H, W) of an RGB image (H, W, 3) that is resized by ``scale`` first."""
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float()
    norm = model.data_preprocessor
    pixels = (pixels - norm.mean.cpu()) / norm.std.cpu()
    size = [round(side * scale) for side in photo.shape[:2]]
    resized = F.interpolate(pixels, size, mode='bilinear', antialias=scale < 1)
    logits = model.decode_head(model.extract_feat(resized))
    corners = model.decode_head.align_corners
    full = F.interpolate(logits, photo.shape[:2], mode='bilinear', align_corners=corners)
    return full[0].softmax(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--data-root', type=Path, default=Path('data/voc12_part'))
    args = parser.parse_args()
    cfg = load_config(args.config, {'data_root': str(args.data_root)})
    model: Any = load_model(cfg, args.checkpoint, 'cpu')
    classes = model.decode_head.num_classes
    images = Images(images_only(cfg.val_dataloader.dataset))
    total: dict[str, np.ndarray] = {}
    for name in list(images.paths)[::EVERY]:
        photo = load_rgb(images.paths[name], name)
        truth = load_mask(args.data_root / 'SegmentationClassAug' / f'{name}.png')
        absent = np.setdiff1d(np.arange(1, classes), truth)
        found = {scale: scores(model, photo, scale) for scale in SCALES}
        for choice in CHOICES:
            mean = torch.stack([found[scale] for scale in choice]).mean(0)
            text = ', '.join(map(str, choice))
            given = mean.clone()
            given[absent] = 0
            for key, score in ((text, mean), (f'{text}, image labels given', given)):
                counts = confusion_counts(score.argmax(0).numpy(), truth, classes)
                total[key] = total.get(key, 0) + counts
    for key, counts in total.items():
        print(f'{key}: {100 * float(mean_iou(iou_from_counts(counts))):.2f}')


if __name__ == '__main__':
    main()
