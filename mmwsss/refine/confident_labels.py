"""The labels that IRNet is trained on, as a refiner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmwsss.functional.checks import check_range
from mmwsss.functional.crf import SEED_KERNELS
from mmwsss.functional.irn import (
    check_thresholds,
    confident_labels,
    confident_labels_threshold_free,
)
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, check_image, require_maps
from mmwsss.registry import REFINERS
from mmwsss.utils.names import check_known

__all__ = ['ConfidentLabels']


@REFINERS.register_module()
class ConfidentLabels(BaseRefiner):
    """Label the pixels that class maps are sure about, and leave the others undecided (255).

    Without thresholds the maps' own background competes, once as it is and once attenuated (as in SIPE's
    released code). With thresholds the foreground maps alone are compared with two constants (as IRNet,
    CVPR 2019). Both label maps are cleaned by a dense CRF; foreground is what the first says, background
    where both say so.

    Args:
        fg_threshold: score of the background in the first map, in [0, 1]; the paper's is 0.30. None:
            threshold-free.
        bg_threshold: score of the background in the second, at most ``fg_threshold``; the paper's is
            0.05. None together with ``fg_threshold``.
        bg_attenuation: factor of the background map in the second map of the threshold-free variant.
        crf: kernel parameters of :class:`~mmwsss.functional.crf.CRFLattice`, instead of those for seeds.

    Raises:
        ValueError: one threshold without the other, a number out of range, or an unknown key in ``crf``.
    """

    needs_image = True

    def __init__(
        self,
        fg_threshold: float | None = None,
        bg_threshold: float | None = None,
        bg_attenuation: float = 0.5,
        crf: Mapping[str, float] | None = None,
    ) -> None:
        self.thresholds: tuple[float, float] | None = None
        if fg_threshold is not None or bg_threshold is not None:
            self.thresholds = check_thresholds(fg_threshold, bg_threshold)
        check_range('bg_attenuation', bg_attenuation, '[0, 1]')
        for name in crf or ():
            check_known('key of crf', name, SEED_KERNELS)
        self.bg_attenuation = bg_attenuation
        self.crf: dict[str, Any] = dict(crf or {})

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> np.ndarray:
        """Label one image, see :class:`BaseRefiner`.

        Returns:
            (H, W), uint8 or with ids above 255 uint16: 0, the maps' class ids, and 255.

        Raises:
            ImportError: ``pydensecrf`` is missing.
            TypeError: labels arrived.
            ValueError: no background map in the threshold-free variant, or an image that does not fit.
        """
        need = 'set fg_threshold and bg_threshold' if self.thresholds is None else None
        maps = require_maps(maps, 'ConfidentLabels', need)
        image = check_image(image, maps.image_size, image_id)
        scores, foreground = maps.full_size_scores(), maps.keys > 0
        ids = maps.keys[foreground].tolist()
        if self.thresholds is None:
            return confident_labels_threshold_free(
                image, scores, ids, bg_attenuation=self.bg_attenuation, **self.crf
            )
        fg_threshold, bg_threshold = self.thresholds
        return confident_labels(
            image,
            scores[foreground],
            ids,
            fg_threshold=fg_threshold,
            bg_threshold=bg_threshold,
            **self.crf,
        )
