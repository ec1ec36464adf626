"""Per-image classifiers as a refiner."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsss.functional.checks import check_choice, check_range
from mmwsss.functional.crf import dense_crf_labels
from mmwsss.functional.svm import METHODS, fit_pixel_svm, select_seed_pixels
from mmwsss.io import IGNORE_INDEX, ClassMaps, load_mask, safe_join
from mmwsss.io.mask_io import MAX_ID
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, check_image
from mmwsss.refine.chain import labels_from_maps
from mmwsss.refine.model import FrozenModel
from mmwsss.registry import REFINERS

__all__ = ['SVMExpansion']

NUMBERS = {'n_samples': '[1, inf)', 'n_components': '[1, inf)', 'penalty': '(0, inf)'}


@REFINERS.register_module()
class SVMExpansion(BaseRefiner):
    """Learn an image's own labels from its pixels' features and label it anew (ICPRAM 2024).

    Which pixels are learnt: of class maps, those whose score is in the top part of their label's
    and, with ``crf_agreement``, whose label the dense CRF keeps; of labels, all that are not 255;
    with ``gt_dir``, those of the true mask (the upper bound of the method, not a weak supervision).

    Args:
        config: config of a trained network whose features are used.
        checkpoint: its weights.
        layers: features to concatenate. A name is any submodule of the backbone, such as
            ``'relu'`` (F1, stride 2), ``'layer1'`` (F2) ... ``'layer4'`` (F5) of ``ResNet``, or
            ``'layer2.1.conv1'``; of several calls in one pass the last counts. A number is an
            index into the backbone's outputs. Empty: the RGB image is the feature.
        top_fraction: part of a label's pixels to learn from, in (0, 1].
        crf_agreement: learn only where the CRF of the maps' argmax agrees with it.
        gt_dir: folder of true masks ``<image id>.png``.
        device: where the network runs. The classifier is fit and evaluated on the CPU, beside it.
        **svm: ``n_samples``, ``method``, ``penalty``, ``gamma``, ``max_iter``, ``n_components`` and
            ``seed`` of :func:`~mmwsss.functional.fit_pixel_svm`. An image whose machines ``max_iter``
            stops is named in a warning.

    Raises:
        TypeError: an unknown setting of the SVM.
        ValueError: features without a network or the other way round, or a number out of range.
    """

    needs_image = True

    def __init__(
        self,
        config: str | None = None,
        checkpoint: str | None = None,
        layers: Sequence[str | int] = (),
        top_fraction: float = 0.5,
        crf_agreement: bool = False,
        gt_dir: str | None = None,
        device: str = 'cpu',
        **svm: Any,
    ) -> None:
        if not (config is None) == (checkpoint is None) == (not layers):
            raise ValueError(
                'layers, config and checkpoint belong together: give all for features of a '
                f'network or none for RGB, but got {config!r}, {checkpoint!r}, {tuple(layers)}'
            )
        check_range('top_fraction', top_fraction, '(0, 1]')
        check_choice('method', svm.get('method', 'exact'), METHODS)
        # Fails now, not at the first image.
        inspect.signature(fit_pixel_svm).bind(None, None, **svm)
        for name, interval in NUMBERS.items():
            check_range(name, svm.get(name, 1), interval)
        if config is not None and checkpoint is not None:
            self.network = FrozenModel(config, checkpoint, device)
        self.layers = tuple(layers)
        self.top_fraction = top_fraction
        self.crf_agreement = crf_agreement
        self.is_crf = crf_agreement and gt_dir is None
        self.gt_dir = gt_dir
        self.uses_ground_truth = gt_dir is not None
        self.svm = svm
        self.device = device

    def input_files(self) -> Sequence[str]:
        """The files of the network, and the folder of true masks."""
        return [*super().input_files(), *([self.gt_dir] if self.gt_dir else [])]

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> np.ndarray:
        """Refine one image into labels, see :class:`BaseRefiner`.

        Raises:
            ValueError: class maps without a background map, or no labelled pixel.
        """
        return self.finish(self.start(maps, image, image_id), image, image_id)

    def start(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> tuple[MapsOrLabels, list[np.ndarray]]:
        """Ask the network; its outputs are small before they are brought to image size."""
        outputs = self.layer_outputs(_image_of(maps, image, image_id))
        return maps, [output.cpu().numpy() for output in outputs]

    def finish(
        self,
        started: tuple[MapsOrLabels, list[np.ndarray]],
        image: np.ndarray | None = None,
        image_id: str = '',
    ) -> np.ndarray:
        """Fit and label, on the CPU."""
        maps, outputs = started
        image = _image_of(maps, image, image_id)
        seeds = self._seeds(maps, image, image_id)
        features = stack_features([torch.from_numpy(o) for o in outputs], image)
        machine = fit_pixel_svm(features, seeds, ignore_index=IGNORE_INDEX, **self.svm)
        if machine.stopped:
            from sklearn.exceptions import ConvergenceWarning

            warnings.warn(
                f'{image_id}: {machine.stopped} machines did not converge in '
                f'max_iter={self.svm["max_iter"]} steps',
                ConvergenceWarning,
                stacklevel=2,
            )
        return machine.predict(features).astype(seeds.dtype)

    def _seeds(self, maps: MapsOrLabels, image: np.ndarray, image_id: str) -> np.ndarray:
        """Labels to learn from, 255 elsewhere."""
        if self.gt_dir is not None:
            path = safe_join(self.gt_dir, image_id, '.png')
            return load_mask(path, MAX_ID + 1, image_size=image.shape[:2]).astype(np.int64)
        if not isinstance(maps, ClassMaps):
            return maps
        labels_from_maps(maps)  # says what is wrong without a background map
        scores = maps.full_size_scores()
        index = scores.argmax(axis=0)
        if self.crf_agreement:
            index = dense_crf_labels(image, index, len(scores))
        undecided = len(scores)  # no index of a map, however many there are
        index = select_seed_pixels(
            scores, index, ignore_index=undecided, top_fraction=self.top_fraction
        )
        known = index != undecided
        return np.where(known, maps.keys[np.where(known, index, 0)], IGNORE_INDEX)

    @torch.no_grad()
    def layer_outputs(self, image: np.ndarray) -> list[Tensor]:
        """What the network's ``layers`` say about an RGB image (H, W, 3): (1, C, h, w) each.

        Raises:
            ValueError: the backbone has no submodule or output of a name or index in ``layers``,
                or one whose output is no feature map.
        """
        if self.network is None:
            return []
        backbone = self.network.model.backbone
        modules = dict(backbone.named_modules())
        outputs: dict[str | int, Any] = {}
        hooks = []
        for name in modules.keys() & self.layers:
            keep = functools.partial(_keep_output, outputs, name)
            hooks.append(modules[name].register_forward_hook(keep))
        try:
            outputs.update(enumerate(backbone(self.network.inputs(image)[0])))
        finally:
            for hook in hooks:
                hook.remove()
        for name in self.layers:
            if not isinstance(outputs.get(name), Tensor) or outputs[name].ndim != 4:
                raise ValueError(
                    f'layers names {name!r}, which gives no feature map (N, C, h, w); the children of '
                    f'{type(backbone).__name__} are {[child for child, _ in backbone.named_children()]}'
                )
        return [outputs[name] for name in self.layers]


def _keep_output(
    outputs: dict[str | int, Any], name: str, module: nn.Module, args: Any, output: Any
) -> None:
    # A copy: the next layer may be an in-place ReLU. The type: of autocast, which NumPy may not have.
    is_tensor = isinstance(output, Tensor)
    outputs[name] = output.to(torch.float32, copy=True) if is_tensor else None


def _image_of(maps: MapsOrLabels, image: np.ndarray | None, image_id: str) -> np.ndarray:
    size = maps.image_size if isinstance(maps, ClassMaps) else maps.shape
    return check_image(image, size, image_id)


def stack_features(outputs: Sequence[Tensor], image: np.ndarray) -> Tensor:
    """Join outputs (1, C_i, h_i, w_i) at image size: float32 (sum of C_i, H, W).

    Without any the RGB ``image`` (H, W, 3) itself is the feature.
    """
    if not len(outputs):
        return torch.from_numpy(image).permute(2, 0, 1).float()
    size = image.shape[:2]
    # The machines go through channels, which some convolutions on CPUs leave last.
    rows = [output.contiguous() for output in outputs]
    full = [F.interpolate(o, size, mode='bilinear', align_corners=False)[0] for o in rows]
    return torch.cat(full) if len(full) > 1 else full[0]
