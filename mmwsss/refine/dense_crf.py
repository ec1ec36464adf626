"""Dense CRF as a refiner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmwsss.functional.checks import check_range
from mmwsss.functional.crf import SEED_KERNELS, dense_crf, dense_crf_labels
from mmwsss.io import IGNORE_INDEX, ClassMaps
from mmwsss.refine.base import BaseRefiner, MapsOrLabels, check_image, require_maps
from mmwsss.refine.chain import labels_from_maps
from mmwsss.registry import REFINERS
from mmwsss.utils.names import check_known

__all__ = ['DenseCRF']


@REFINERS.register_module()
class DenseCRF(BaseRefiner):
    """Dense CRF of the classes an image has (Krähenbühl and Koltun, NIPS 2011).

    Class maps become probabilities (scores over their sum) and stay class maps; labels stay labels,
    undecided pixels get one. The kernels' defaults are those of :func:`~mmwsss.functional.dense_crf`
    and :func:`~mmwsss.functional.dense_crf_labels`.

    Args:
        from_labels: use the argmax of class maps with confidence ``gt_prob`` instead of the scores;
            the result is labels.
        gt_prob: confidence in labels.
        iterations: mean-field steps.
        **kernels: ``gaussian_sxy``, ``gaussian_compat``, ``bilateral_sxy``, ``bilateral_srgb`` and
            ``bilateral_compat``, see :class:`~mmwsss.functional.crf.CRFLattice`.

    Raises:
        ValueError: ``gt_prob`` is out of range, or a kernel parameter is unknown.
    """

    needs_image = True
    needs_background = False
    is_crf = True

    def __init__(
        self,
        from_labels: bool = False,
        gt_prob: float = 0.7,
        iterations: int = 10,
        **kernels: float,
    ) -> None:
        check_range('gt_prob', gt_prob, '(0, 1)')
        for name in kernels:
            check_known('kernel parameter', name, SEED_KERNELS)
        self.from_labels = from_labels
        self.gt_prob = gt_prob
        self.iterations = iterations
        self.kernels = kernels

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> MapsOrLabels:
        """Refine one image, see :class:`BaseRefiner`.

        Raises:
            ImportError: ``pydensecrf`` is missing.
            ValueError: class maps without a background map, or an image that does not fit.
        """
        size = maps.image_size if isinstance(maps, ClassMaps) else maps.shape
        image = check_image(image, size, image_id)
        if not isinstance(maps, ClassMaps):
            return self._refine_labels(maps, np.unique(maps), image)
        require_maps(maps, 'DenseCRF', 'put a BackgroundThreshold before it')
        if self.from_labels:
            return self._refine_labels(labels_from_maps(maps), maps.keys, image)
        scores = maps.full_size_scores().clip(min=0)
        total = scores.sum(axis=0, keepdims=True)
        probs = np.divide(scores, total, out=np.ones_like(scores), where=total > 0)
        probs = dense_crf(image, probs, iterations=self.iterations, **self.kernels)
        return replace(maps, scores=probs)

    def _refine_labels(self, labels: np.ndarray, keys: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Labels of any ids -> labels; ``keys`` are the ids the image could have."""
        keys = keys[keys != IGNORE_INDEX]
        if len(keys) == 0:
            return labels.copy()
        index = np.searchsorted(keys, labels)
        undecided = len(keys)  # no index of a key, however many there are
        index[labels == IGNORE_INDEX] = undecided
        index = dense_crf_labels(
            image,
            index,
            len(keys),
            self.gt_prob,
            iterations=self.iterations,
            ignore_index=undecided,
            **self.kernels,
        )
        return keys[index].astype(labels.dtype)
