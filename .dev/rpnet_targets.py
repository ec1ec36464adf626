"""What RPNet's consistency loss would be worth if its target were perfect.

Trains an RPNet config with the classification loss and the consistency loss alone, where the target does not
come from prototypes but from a finished model (`--teacher`: its class maps of the same crops, at the recipe's
four scales) or from the true masks (`--teacher masks`, an upper bound that uses ground truth). The checkpoint
is one of the config's, so maps are made and scored by the ordinary tools.

Example::

    python .dev/rpnet_targets.py configs/rpnet/ablations/rpnet_mobilenetv2_vocmini_released.py \\
        --teacher work_dirs/rpnet/iter_108.pth --work-dir work_dirs/rpnet_target --seed 0
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.functional.rpnet import normalized_consistency
from mmwsss.models.classifiers import ImageLevelClassifier
from mmwsss.models.heads.base import stack_labels
from mmwsss.stages.load import load_localizer
from mmwsss.stages.train import run_training
from mmwsss.utils.cli import add_config_arguments, run_tool
from mmwsss.utils.config import load_config

MASKS = 'masks'


@MODELS.register_module()
class GivenTargetClassifier(ImageLevelClassifier):
    """A localizer whose class maps are drawn to those of a teacher, or to the true masks."""

    def __init__(self, teacher: str, localizer: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.teacher: list[ImageLevelClassifier] = []  # in a list, so that no checkpoint carries it
        if teacher != MASKS:
            self.teacher.append(load_localizer(Config(localizer), teacher))

    def loss(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """The head's classification loss, and its consistency loss with the given target."""
        labels = stack_labels(data_samples, self.head.num_classes)
        logits = self.head.classifier(self.extract_feat(inputs)[self.head.in_index]).float()
        size = logits.shape[2:]
        targets = (
            self._class_maps(inputs, size) if self.teacher else [_masks(data_samples, labels, size)]
        )
        weights = self.head.loss_weights
        loss = self.head.classification_loss({'cam_logits': logits}, labels)
        consistency = normalized_consistency(logits, targets, labels)
        return {
            'loss_cls': weights['cls'] * loss,
            'loss_consistency': weights['consistency'] * consistency,
        }

    @torch.no_grad()
    def _class_maps(self, inputs: Tensor, size: torch.Size) -> list[Tensor]:
        maps = []
        for scale in (1.0, *self.head.loss_scales):
            views = F.interpolate(inputs, scale_factor=scale, mode='bilinear')
            logits = self.teacher[0].head(self.teacher[0].extract_feat(views))['cam_logits']
            maps.append(F.interpolate(logits.float(), size=size, mode='bilinear'))
        return maps


def _masks(samples: Sequence[SegDataSample], labels: Tensor, size: torch.Size) -> Tensor:
    """Share of each cell (N, K, h, w) that a class covers."""
    masks = torch.stack([sample.gt_sem_seg.data[0] for sample in samples]).to(labels.device)
    ids = torch.arange(1, labels.shape[1] + 1, device=labels.device)
    return F.adaptive_avg_pool2d((masks[:, None] == ids[:, None, None]).float(), tuple(size))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--teacher', required=True, help=f"checkpoint of the config, or '{MASKS}'")
    parser.add_argument('--work-dir', required=True)
    parser.add_argument('--seed', type=int, default=0)
    add_config_arguments(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    cfg = load_config(args.config, args.cfg_options)
    localizer = cfg.to_dict()
    cfg.model.update(type='GivenTargetClassifier', teacher=args.teacher, localizer=localizer)
    if args.teacher == MASKS:
        images = cfg.train_dataloader.dataset.dataset
        images.data_prefix.seg_map_path = images.labels.path
        images.pipeline.insert(1, dict(type='LoadMask'))
    cfg.update(work_dir=args.work_dir, val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg.randomness = {**cfg.get('randomness', {}), 'seed': args.seed}
    run_training(cfg)
    return 0


if __name__ == '__main__':
    run_tool(main, parse_args())
