"""IRNet: class boundaries and displacement fields learnt from confident image-level labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsss.functional.checks import check_range
from mmwsss.functional.irn import grid_stride, irn_losses, resize_labels
from mmwsss.models.image_model import ImageModel
from mmwsss.utils.names import check_known
from mmwsss.utils.processes import mean_over_processes

__all__ = ['DisplacementBranch', 'EdgeBranch', 'IRNet']

# The displacement branch joins the deepest stages at the resolution of the first of them.
NUM_DEEP_STAGES = 3


class EdgeBranch(nn.Module):
    """Edge logits from all stages: per stage 1x1 conv, GroupNorm, resize, ReLU; joined by a 1x1 conv.

    Args:
        in_channels: widths of the stages.
        channels: width per stage.
        groups: of the GroupNorm.
    """

    def __init__(self, in_channels: Sequence[int], channels: int = 32, groups: int = 4) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_unit(width, channels, groups) for width in in_channels)
        self.predict = nn.Conv2d(channels * len(in_channels), 1, 1)

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """Stage outputs -> edge logits (N, 1, h, w) at the size of the first stage."""
        parts = [unit(x) for unit, x in zip(self.stages, stages)]
        logits: Tensor = self.predict(_join(parts, stages[0].shape[2:]))
        return logits


class DisplacementBranch(nn.Module):
    """Displacement field from all stages, the three deepest joined before the shallow ones.

    In evaluation mode the mean displacement of the training set, ``mean_shift``, is subtracted.

    Args:
        in_channels: widths of the stages.
        channels: width of every stage's 1x1 conv.
        groups: of the GroupNorm behind it.
        join_channels: width of the two joins.
        join_groups: of their GroupNorm.
    """

    mean_shift: Tensor

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int] = (64, 128, 256, 256, 256),
        groups: Sequence[int] = (8, 16, 16, 16, 16),
        join_channels: int = 256,
        join_groups: int = 16,
    ) -> None:
        super().__init__()
        if not len(in_channels) == len(channels) == len(groups):
            raise ValueError(
                'the displacement branch needs as many channels and groups as in_channels, '
                f'but got {len(channels)} and {len(groups)} for {len(in_channels)} stages'
            )
        self.stages = nn.ModuleList(map(_unit, in_channels, channels, groups))
        self.deep = _unit(sum(channels[-NUM_DEEP_STAGES:]), join_channels, join_groups)
        shallow = sum(channels[:-NUM_DEEP_STAGES])
        self.join = _unit(shallow + join_channels, join_channels, join_groups)
        self.predict = nn.Conv2d(join_channels, 2, 1, bias=False)
        self.register_buffer('mean_shift', torch.zeros(2))

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        """Stage outputs -> (N, 2, h, w): vertical, horizontal, in pixels of the first stage."""
        parts = [unit(x) for unit, x in zip(self.stages, stages)]
        shallow, deep = parts[:-NUM_DEEP_STAGES], parts[-NUM_DEEP_STAGES:]
        joined = self.deep(_join(deep, deep[0].shape[2:]))
        joined = self.join(_join([*shallow, joined], stages[0].shape[2:]))
        field: Tensor = self.predict(joined.relu())
        return field if self.training else field - self.mean_shift.view(1, 2, 1, 1)


@MODELS.register_module()
class IRNet(ImageModel):
    """Inter-pixel relation network (Ahn et al., CVPR 2019) on a frozen mmseg backbone.

    The first stage sets the grid of edges and displacements (stride 4 in the paper). Only the
    branches ``edge`` and ``displacement`` are trained; losses are means over the pairs of the *global* batch.

    Args:
        backbone: config of a backbone that returns a tuple of feature maps. For the paper's:
            mmseg's ``ResNet`` of depth 50 with ``strides=(1, 2, 2, 1)``.
        in_channels: widths of the stages, at least four.
        stem: submodule of the backbone whose output is put in front of the backbone's outputs as the
            first stage (``'maxpool'`` for ``ResNet``); None: only the outputs.
        edge: width and groups of the edge branch, see :class:`EdgeBranch`.
        displacement: widths and groups, see :class:`DisplacementBranch`.
        radius: largest distance of a pixel pair in training, in grid pixels.
        test_size: (H, W), the training's crop size, to which a smaller image is padded at test time,
            right and below, as GroupNorm saw it in training. None: no padding.
        ignore_index: label of unknown pixels.
        data_preprocessor: config of the preprocessor, usually mmseg's ``SegDataPreProcessor``.
        init_cfg: MMEngine initialisation.

    Raises:
        ValueError: too few stages, widths that do not fit, or an unknown ``stem``.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        in_channels: Sequence[int] = (64, 256, 512, 1024, 2048),
        stem: str | None = 'maxpool',
        edge: dict[str, Any] | None = None,
        displacement: dict[str, Any] | None = None,
        radius: int = 10,
        test_size: tuple[int, int] | None = (512, 512),
        ignore_index: int = 255,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        check_range('number of in_channels', len(in_channels), f'[{NUM_DEEP_STAGES + 1}, inf)')
        self.backbone = MODELS.build(backbone).requires_grad_(False)
        self.in_channels = tuple(in_channels)
        self.edge = EdgeBranch(in_channels, **(edge or {}))
        self.displacement = DisplacementBranch(in_channels, **(displacement or {}))
        self.radius = radius
        self.test_size = tuple(test_size or (0, 0))
        self.ignore_index = ignore_index
        self._stem_output: list[Tensor] = []
        if stem is not None:
            modules = dict(self.backbone.named_modules())
            check_known('backbone module as stem', stem, modules)
            modules[stem].register_forward_hook(lambda *args: self._stem_output.append(args[-1]))
        self.train(self.training)

    def train(self, mode: bool = True) -> IRNet:
        """Set the training mode; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Stage outputs, without gradient, for images (N, C, H, W).

        Raises:
            ValueError: the stages' widths are not ``in_channels``.
        """
        self._stem_output.clear()
        outputs = self.backbone(inputs)
        stages = (*(stem.to(outputs[0].dtype) for stem in self._stem_output), *outputs)
        self._stem_output.clear()
        widths = tuple(stage.shape[1] for stage in stages)
        if widths != self.in_channels:
            raise ValueError(
                f'the backbone gives stages of widths {widths}, but in_channels={self.in_channels}'
            )
        return stages

    def tensors(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Edge logits (N, 1, h, w) and displacement (N, 2, h, w) of images (N, C, H, W)."""
        stages = self.extract_feat(inputs)
        return self.edge(stages), self.displacement(stages)

    def loss(self, inputs: Tensor, data_samples: Sequence[SegDataSample]) -> dict[str, Tensor]:
        """Losses from the confident labels in ``gt_sem_seg`` (H, W): 0, class ids, ignore."""
        edge_logits, displacement = self.tensors(inputs)
        labels = torch.stack([sample.gt_sem_seg.data.squeeze(0) for sample in data_samples])
        labels = resize_labels(labels.to(inputs.device), edge_logits.shape[2:])
        return irn_losses(
            edge_logits.squeeze(1).float().sigmoid(),
            displacement.float(),
            labels.long(),
            radius=self.radius,
            ignore_index=self.ignore_index,
            mean_over_processes=mean_over_processes,
        )

    @torch.no_grad()
    def edge_maps(self, inputs: Tensor) -> Tensor:
        """Edge map (N, h, w) in [0, 1] of images (N, C, H, W) of one size.

        The logits of the image and of its un-mirrored mirror are averaged, then squashed. Padding to
        ``test_size`` is cut off.
        """
        height, width = inputs.shape[2:]
        rows, cols = max(height, self.test_size[0]), max(width, self.test_size[1])
        both = F.pad(torch.cat([inputs, inputs.flip(-1)]), (0, cols - width, 0, rows - height))
        logits = self.edge(self.extract_feat(both)).squeeze(1)
        strides = map(grid_stride, (rows, cols), logits.shape[1:])
        h, w = (-(-side // stride) for side, stride in zip((height, width), strides))
        straight, mirrored = logits[:, :h, :w].chunk(2)
        return ((straight + mirrored.flip(-1)) / 2).sigmoid()

    @torch.no_grad()
    def calibrate(self, batches: Iterable[dict[str, Any]]) -> Tensor:
        """Set ``displacement.mean_shift`` to the mean displacement over a training set.

        Args:
            batches: what a data loader gives, not yet preprocessed; every process passes its share.

        Returns:
            The new mean (2,): vertical, horizontal.

        Raises:
            ValueError: there is no batch.
        """
        was_training, shift = self.training, self.displacement.mean_shift
        self.eval()
        shift.zero_()
        total = torch.zeros(3, dtype=torch.float64, device='cpu')
        for batch in batches:
            inputs = self.data_preprocessor(batch, training=True)['inputs']  # clears padding
            field = self.displacement(self.extract_feat(inputs)).double().cpu()
            total[:2] += field.sum(dim=(0, 2, 3))
            total[2] += field[:, 0].numel()
        if get_world_size() > 1:
            total = total.to(shift.device)
            all_reduce(total)
        if total[2] == 0:
            raise ValueError('calibrate needs at least one batch')
        shift.copy_(total[:2] / total[2])
        self.train(was_training)
        return shift.clone()


def _unit(in_channels: int, channels: int, groups: int) -> nn.Sequential:
    """1x1 convolution and GroupNorm; the ReLU follows the resize, see :func:`_join`."""
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 1, bias=False), nn.GroupNorm(groups, channels)
    )


def _join(parts: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Resize what units returned, rectify and concatenate, in the order of the released code."""
    resized = [F.interpolate(x, tuple(size), mode='bilinear', align_corners=False) for x in parts]
    return torch.cat(resized, dim=1).relu()
