"""Fully connected CRF with Gaussian edge potentials, mean-field inference on the CPU.

Source: Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
potentials", NIPS 2011. The filtering is done by the library ``pydensecrf2`` (extra ``crf``).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from mmwsss.functional.checks import check_label_map, check_range, check_shapes, to_numpy

__all__ = ['CRFLattice', 'dense_crf', 'dense_crf_labels']

# Kernels that clean seeds, in SIPE and IRNet; those of CRFLattice itself are DeepLabV2's.
SEED_KERNELS: dict[str, float] = {
    'gaussian_sxy': 3,
    'gaussian_compat': 3,
    'bilateral_sxy': 50,
    'bilateral_srgb': 5,
    'bilateral_compat': 10,
}

# Sum of the compatibilities up to which CRFs run side by side; unary energies add up to a dozen.
_LARGEST_TOGETHER = 60
# Unary energy of a label that must not win anywhere: exp(-1e4) is 0 in float32.
_FORBIDDEN_ENERGY = 1e4


class CRFLattice:
    """The two filters of one image's dense CRF, to be used for any number of CRFs on that image.

    Building them costs at least as much as ten mean-field steps. A CRF with fewer labels than they were
    built for runs on them with its missing labels being impossible.

    Args:
        image: (H, W, 3) uint8. RGB or BGR: the bilateral filter treats the channels alike.
        num_labels: largest number of labels of a CRF on this image, >= 1.
        gaussian_sxy: standard deviation of the smoothness kernel in pixels (theta_gamma).
        gaussian_compat: Potts weight of the smoothness kernel (w2); 0 switches it off.
        bilateral_sxy: spatial standard deviation of the appearance kernel in pixels (theta_alpha).
        bilateral_srgb: colour standard deviation of the appearance kernel, of 0..255 (theta_beta).
        bilateral_compat: Potts weight of the appearance kernel (w1); 0 switches it off.

    Raises:
        ImportError: ``pydensecrf`` is missing.
        TypeError: ``image`` is not uint8.
        ValueError: a wrong shape or a parameter outside its range.
    """

    def __init__(
        self,
        image: np.ndarray,
        num_labels: int,
        *,
        gaussian_sxy: float = 1,
        gaussian_compat: float = 3,
        bilateral_sxy: float = 67,
        bilateral_srgb: float = 3,
        bilateral_compat: float = 4,
    ) -> None:
        try:
            from pydensecrf import densecrf
        except ImportError as error:
            raise ImportError(
                'the dense CRF needs the package pydensecrf2: pip install "mmwsss[crf]"'
            ) from error
        image = to_numpy(image)
        check_shapes(image=(image, 'H W 3'))
        if image.dtype != np.uint8:
            raise TypeError(f'image must be uint8 (0..255), but got {image.dtype}')
        check_range('gaussian_sxy', gaussian_sxy, '(0, inf)')
        check_range('gaussian_compat', gaussian_compat, '[0, inf)')
        check_range('bilateral_sxy', bilateral_sxy, '(0, inf)')
        check_range('bilateral_srgb', bilateral_srgb, '(0, inf)')
        check_range('bilateral_compat', bilateral_compat, '[0, inf)')
        height, width = image.shape[:2]
        self.image_size = (height, width)
        self.num_labels = int(num_labels)
        self._compat = gaussian_compat + bilateral_compat
        self._crf = densecrf.DenseCRF2D(width, height, self.num_labels)
        if gaussian_compat > 0:
            self._crf.addPairwiseGaussian(sxy=gaussian_sxy, compat=gaussian_compat)
        if bilateral_compat > 0:
            self._crf.addPairwiseBilateral(
                sxy=bilateral_sxy, srgb=bilateral_srgb, rgbim=image, compat=bilateral_compat
            )

    def probabilities(
        self, probs: np.ndarray, *, iterations: int = 10, min_prob: float = 1e-5
    ) -> np.ndarray:
        """Posterior label probabilities for the unary term ``-log(max(probs, min_prob))``.

        Args:
            probs: (K, H, W) >= 0, K <= ``num_labels``; need not add up to 1. A channel that is 0
                everywhere is a label that the image does not have: it stays 0.
            iterations: mean-field steps, >= 0.
            min_prob: lower bound under the logarithm, in (0, 1].

        Returns:
            (K, H, W) float32, adding up to 1 over K.

        Raises:
            ValueError: a wrong shape, a negative or non-finite value, or no label at all.
        """
        probs = to_numpy(probs).astype(np.float32, copy=False)
        check_shapes(probs=(probs, f'K {self.image_size[0]} {self.image_size[1]}'))
        check_range('min_prob', min_prob, '(0, 1]')
        present = probs.any(axis=(1, 2))
        if not (np.isfinite(probs).all() and (probs >= 0).all() and present.any()):
            raise ValueError('probs must be finite, not negative and not 0 everywhere')
        out = np.zeros(probs.shape, np.float32)
        energy = -np.log(np.clip(probs[present], min_prob, None))
        out[present] = self._infer([energy], iterations)[0]
        return out

    def labels_together(
        self,
        maps: Sequence[np.ndarray],
        num_labels: int,
        *,
        gt_prob: float = 0.7,
        iterations: int = 10,
        ignore_index: int | None = None,
    ) -> list[np.ndarray]:
        """Clean label maps of the image that are believed with probability ``gt_prob``.

        The maps do not influence each other; side by side they share a filter's look-ups. The lattice
        must have been built for as many labels as occur in all maps together.

        Args:
            maps: label maps (H, W), integers in ``0..num_labels - 1``, or ``ignore_index``.
            num_labels: number of labels each map could have: those a pixel does not have share
                the probability ``1 - gt_prob``. Only those that occur enter the CRF.
            gt_prob: confidence in the labels, inside (0, 1); usefully above ``1 / num_labels``.
            iterations: mean-field steps, >= 0.
            ignore_index: value of pixels about which nothing is known; they get a label, too.
                None: there are no such pixels.

        Returns:
            The cleaned maps (H, W), each of its map's dtype; only values that occur in it, not
            ``ignore_index`` unless there is nothing else.

        Raises:
            TypeError: a map does not hold integers.
            ValueError: a wrong shape, a label out of range or ``gt_prob`` out of range.
        """
        check_range('gt_prob', gt_prob, '(0, 1)')
        maps = [to_numpy(m) for m in maps]
        for labels in maps:
            check_label_map('labels', labels, num_labels, ignore_index, self.image_size)
        present = [_present(m, ignore_index) for m in maps]
        out = [np.full_like(m, p[0] if len(p) else ignore_index) for m, p in zip(maps, present)]
        todo = [i for i, p in enumerate(present) if len(p) > 1]
        energies = [
            _label_energy(maps[i], present[i], num_labels, gt_prob, ignore_index) for i in todo
        ]
        for i, marginals in zip(todo, self._infer(energies, iterations)):
            out[i] = present[i][marginals.argmax(axis=0)].astype(maps[i].dtype)
        return out

    def _infer(self, energies: list[np.ndarray], iterations: int) -> list[np.ndarray]:
        """Mean field of independent CRFs: (K_i, H, W) unary energies -> float32 marginals."""
        check_range('iterations', iterations, '[0, inf)')
        counts = [len(energy) for energy in energies]
        if sum(counts) > self.num_labels:
            raise ValueError(
                f'the lattice was built for {self.num_labels} labels, got {sum(counts)}'
            )
        if not counts:
            return []
        if len(counts) > 1 and self._compat > _LARGEST_TOGETHER:
            return [self._infer([energy], iterations)[0] for energy in energies]
        pixels = energies[0][0].size
        padded = np.full((self.num_labels, pixels), _FORBIDDEN_ENERGY, np.float32)
        padded[: sum(counts)] = np.concatenate(energies).reshape(-1, pixels)
        self._crf.setUnaryEnergy(padded)
        if len(counts) == 1:  # the library's own loop is a fifth faster
            rows = [np.asarray(self._crf.inference(iterations))[: counts[0]]]
        else:
            rows = self._steps(counts, iterations)
        return [part.reshape(energy.shape) for part, energy in zip(rows, energies)]

    def _steps(self, counts: list[int], iterations: int) -> list[np.ndarray]:
        """Mean field of several CRFs side by side, their labels being rows of one.

        The library normalises all rows together; dividing each CRF's rows by their sum undoes that, as
        long as their energies differ by less than the 87 at which float32 underflows.
        """
        state, *scratch = self._crf.startInference()
        rows = np.split(np.asarray(state), np.cumsum(counts))[: len(counts)]  # written in place
        for step in range(iterations + 1):
            for part in rows:
                part /= functools.reduce(np.add, part)
            if step < iterations:
                self._crf.stepInference(state, *scratch)
        return rows


def dense_crf(
    image: np.ndarray,
    probs: np.ndarray,
    *,
    iterations: int = 10,
    min_prob: float = 1e-5,
    **kernels: float,
) -> np.ndarray:
    """Dense CRF on class probabilities, with DeepLabV2's numbers as defaults.

    Args:
        image: (H, W, 3) uint8.
        probs: (K, H, W); see :meth:`CRFLattice.probabilities` for it, the result and errors.
        iterations: mean-field steps.
        min_prob: lower bound of a probability under the logarithm.
        **kernels: ``gaussian_sxy`` (1), ``gaussian_compat`` (3), ``bilateral_sxy`` (67),
            ``bilateral_srgb`` (3) and ``bilateral_compat`` (4) of :class:`CRFLattice`.
    """
    probs = to_numpy(probs)
    present = sum(bool(np.any(channel)) for channel in probs)
    lattice = CRFLattice(image, max(present, 1), **kernels)
    return lattice.probabilities(probs, iterations=iterations, min_prob=min_prob)


def dense_crf_labels(
    image: np.ndarray,
    labels: np.ndarray,
    num_labels: int,
    gt_prob: float = 0.7,
    *,
    iterations: int = 10,
    ignore_index: int | None = None,
    **kernels: float,
) -> np.ndarray:
    """Dense CRF on a label map, with the numbers used to clean seeds as defaults.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W); see :meth:`CRFLattice.labels_together` for it, the result and errors.
        num_labels: number of labels the map could have (the image's, not the dataset's: it sets
            how ``1 - gt_prob`` is shared).
        gt_prob: confidence in the given label.
        iterations: mean-field steps.
        ignore_index: value of pixels about which nothing is known; None: there are none.
        **kernels: ``gaussian_sxy`` (3), ``gaussian_compat`` (3), ``bilateral_sxy`` (50),
            ``bilateral_srgb`` (5) and ``bilateral_compat`` (10) of :class:`CRFLattice`.
    """
    labels = to_numpy(labels)
    present = _present(labels, ignore_index)
    lattice = CRFLattice(image, max(len(present), 1), **{**SEED_KERNELS, **kernels})
    return lattice.labels_together(
        [labels], num_labels, gt_prob=gt_prob, iterations=iterations, ignore_index=ignore_index
    )[0]


def _label_energy(
    labels: np.ndarray,
    present: np.ndarray,
    num_labels: int,
    gt_prob: float,
    ignore_index: int | None,
) -> np.ndarray:
    """Unary energy (K, H, W) of the present labels."""
    own, rest = -np.log(gt_prob), -np.log((1 - gt_prob) / (num_labels - 1))
    one_hot = labels == present[:, None, None]
    energy = np.where(one_hot, np.float32(own), np.float32(rest))
    if ignore_index is not None:
        energy[:, labels == ignore_index] = np.log(num_labels)
    return energy


def _present(labels: np.ndarray, ignore_index: int | None) -> np.ndarray:
    """Labels that occur, ascending, without ``ignore_index``."""
    present = np.unique(labels)
    return present if ignore_index is None else present[present != ignore_index]
