"""Per-image pixel classifiers: a support vector machine spreads sparse labels over one image.

Source: Lyu et al., "Image-specific classifier", ICPRAM 2024. scikit-learn fits the machines; their
decision functions are evaluated as matrix products, which is what takes the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Union

import numpy as np
import torch
from torch import Tensor

from mmwsss.functional.checks import (
    check_choice,
    check_label_map,
    check_range,
    check_shapes,
    to_numpy,
)

__all__ = ['PixelSVM', 'fit_pixel_svm', 'sample_pixels', 'select_seed_pixels', 'svm_expand']

Array = Union[Tensor, np.ndarray]
METHODS = ('exact', 'nystroem')

# Kernel values per block: 2 MiB of float32 stays in the cache between product, power and product.
_BLOCK = 2**19
# Values of features that are normalised at a time: 8 MiB, or on a GPU 512, of float32.
_CHUNK = 2**21
_LOG2_E = math.log2(math.e)


@dataclass(frozen=True)
class PixelSVM:
    """One-vs-rest RBF machines of one image that share their support vectors.

    The decision of machine l at the z-scored pixel x is
    ``sum_i weights[i, l] exp(-gamma |x - vectors_i|^2) + bias[l]``. The kernel is evaluated once
    for all machines, on the union of their support vectors.

    Attributes:
        values: (L,) label values, ascending, L >= 1.
        vectors: (m, C) z-scored support vectors, float64.
        weights: (m, M) dual coefficients, 0 where a vector is not of that machine. M = L, or 1
            for two labels (positive = the second), or 0 for one.
        bias: (M,) intercepts.
        gamma: kernel coefficient.
        mean: (C,) per-channel mean of the image.
        scale: (C,) per-channel standard deviation of the image, infinite where it is 0.
        tolerance: pixels whose decision is closer than this are decided again, in float64 or by
            ``exact``. In float32 a decision value is good to about 1e-4.
        exact: the machine that this one approximates, if it does.
        stopped: how many of the machines ``max_iter`` stopped before they converged.
    """

    values: np.ndarray
    vectors: Tensor
    weights: Tensor
    bias: Tensor
    gamma: float
    mean: Tensor
    scale: Tensor
    tolerance: float = 1e-3
    exact: PixelSVM | None = None
    stopped: int = 0
    _cache: dict[Any, tuple[Tensor, Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def decision(self, pixels: Tensor) -> Tensor:
        """Decision values of z-scored pixels: (C, n) -> (M, n), in the precision of ``pixels``.

        Works in chunks whose kernel values stay in the CPU's cache. Weights from the left and powers
        of two instead of e each save half of the time.
        """
        vectors, weights, bias = self._parameters(pixels)
        extended = _extend(pixels, self.gamma)  # (C + 2, n)
        out = pixels.new_empty(len(weights), pixels.shape[1])
        block = _BLOCK if pixels.device.type == 'cpu' else 64 * _BLOCK
        step = max(1, block // len(vectors))
        for part in range(0, pixels.shape[1], step):
            kernel = torch.exp2_(vectors @ extended[:, part : part + step])  # (m, step)
            out[:, part : part + step] = torch.addmm(bias, weights, kernel)
        return out

    def predict(self, features: Array) -> np.ndarray:
        """Label every pixel: (C, H, W) features of the image it was fit on -> (H, W) int64.

        The argmax over the machines; for two labels the sign of the only machine. Runs on the
        device of ``features``, in chunks, in float32, and again in float64 where the decision is
        closer than ``tolerance``.
        """
        features = _as_float(features)
        if len(self.values) == 1:
            return np.full(features.shape[1:], self.values[0], np.int64)
        values = _CHUNK if features.device.type == 'cpu' else 64 * _CHUNK
        chunks = features.flatten(1).split(max(1, values // len(features)), dim=1)
        best = torch.cat([self._label(chunk) for chunk in chunks]).view(features.shape[1:])
        labels: np.ndarray = self.values[best.cpu().numpy()].astype(np.int64)
        return labels

    def _label(self, pixels: Tensor) -> Tensor:
        """Raw pixels (C, n) -> (n,) index of the label."""
        mean, scale = (part.to(pixels)[:, None] for part in (self.mean, self.scale))
        best, margin = _winner(self.decision((pixels - mean) / scale))
        close = (margin < self.tolerance).nonzero().squeeze(1)
        if len(close) and pixels.dtype != torch.float64:
            # Once per feature vector: a flat region may lie as a whole where machines tie.
            different, where = torch.unique(pixels[:, close], dim=1, return_inverse=True)
            judge = self if self.exact is None else self.exact
            different = different.double() if judge is self else different
            best[close] = judge._label(different)[where]
        return best

    def approximate(
        self, n_components: int = 256, seed: int = 0, tolerance: float = 0.1
    ) -> PixelSVM:
        """Nystroem form: the same decision functions in the span of fewer kernel functions.

        ``n_components`` of the support vectors are drawn, and their weights fit by least squares
        to the exact decision values at 4000 support vectors (or all, if fewer). Pixels whose decision
        is closer than ``tolerance`` are left to the exact machine.

        Args:
            n_components: number of kernel functions, >= 1; with as many as there are support
                vectors, or more, the machine is returned as it is.
            seed: of the drawing.
            tolerance: 0 relies on the approximation everywhere.

        Raises:
            ValueError: ``n_components`` < 1.
        """
        check_range('n_components', n_components, '[1, inf)')
        count = len(self.vectors)
        if count <= n_components or len(self.values) == 1:
            return self
        order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
        points = self.vectors[order[:4000]].float().T  # (C, p)
        chosen = self.vectors[order[:n_components]]
        part = replace(self, vectors=chosen, tolerance=tolerance, exact=self)
        kernel = torch.exp2(part._parameters(points)[0] @ _extend(points, self.gamma))  # (m, p)
        kernel = torch.cat([kernel, torch.ones_like(kernel[:1])]).double()
        normal = kernel @ kernel.T
        normal.diagonal().add_(1e-4)  # keeps near-duplicate vectors from large opposite weights
        solution = torch.linalg.solve(normal, kernel @ self.decision(points).double().T)
        return replace(part, weights=solution[:-1], bias=solution[-1])

    def _parameters(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors (m, C + 2) such that ``vectors @ _extend(x)`` is ``-gamma |x - v|^2 / ln 2``,
        weights (M, m) and bias (M, 1); device and dtype of ``like``.
        """
        key = (like.device, like.dtype)
        if key not in self._cache:
            gamma = self.gamma * _LOG2_E
            norm = self.vectors.square().sum(1, keepdim=True)
            parts = [2 * gamma * self.vectors, -gamma * norm, torch.ones_like(norm)]
            vectors, weights = torch.cat(parts, dim=1), self.weights.T.contiguous()
            self._cache[key] = vectors.to(like), weights.to(like), self.bias[:, None].to(like)
        return self._cache[key]


def svm_expand(
    features: Array,
    labels: Array,
    n_samples: int = 2500,
    seed: int = 0,
    ignore_index: int = 255,
    method: str = 'exact',
    **settings: Any,
) -> Array:
    """Learn the labelled pixels of one image and label all of its pixels, labelled or not.

    Arguments and errors are those of :func:`fit_pixel_svm`.

    Returns:
        (H, W) labels, dtype, device and kind (tensor or array) of ``labels``. With one label in
        the image that label everywhere.
    """
    machine = fit_pixel_svm(features, labels, n_samples, seed, ignore_index, method, **settings)
    out = machine.predict(features)
    if isinstance(labels, Tensor):
        return torch.from_numpy(out).to(labels)
    return out.astype(np.asarray(labels).dtype)


def fit_pixel_svm(
    features: Array,
    labels: Array,
    n_samples: int = 2500,
    seed: int = 0,
    ignore_index: int = 255,
    method: str = 'exact',
    *,
    penalty: float = 1.0,
    gamma: float | str = 'scale',
    max_iter: int = -1,
    n_components: int = 256,
) -> PixelSVM:
    """Fit one-vs-rest RBF support vector machines (scikit-learn's ``SVC``) to one image's labels.

    Features are z-scored per channel over the image; the same number of pixels is drawn for
    every label.

    Args:
        features: (C, H, W) floating point or uint8, at the size of ``labels`` (resizing is the
            caller's); tensor or array.
        labels: (H, W) integers, at least one of them not ``ignore_index``; tensor or array.
        n_samples: pixels per label, drawn with replacement from labels that have fewer.
        seed: of the drawing.
        ignore_index: label value of the pixels that are never drawn.
        method: ``'exact'`` evaluates the machines that were fit, on the union of their support
            vectors (labels as scikit-learn's up to rounding). ``'nystroem'``
            replaces them by :meth:`PixelSVM.approximate` first, several times faster.
        penalty: C of the SVC.
        gamma: kernel coefficient: a number, ``'scale'`` (1 / (C var)) or ``'auto'`` (1 / C).
        max_iter: steps of the solver for each machine; -1: until it converges. A machine that is
            stopped raises scikit-learn's ``ConvergenceWarning`` and is counted in
            :attr:`PixelSVM.stopped`.
        n_components: number of kernel functions of ``'nystroem'``.

    Raises:
        TypeError: ``labels`` is not integer.
        ValueError: shapes do not fit, no labelled pixel, a non-finite feature, an unknown method,
            or a number that scikit-learn refuses.
    """
    check_choice('method', method, METHODS)
    features, labels = _as_float(features), to_numpy(labels)
    check_label_map('labels', labels)
    check_shapes(features=(features, 'C H W'), labels=(labels, 'H W'))
    mean, scale = _moments(features)
    index = sample_pixels(labels, n_samples, seed, ignore_index)
    chosen = features.flatten(1)[:, torch.from_numpy(index).to(features.device)]
    samples = ((chosen.T.cpu().double() - mean) / scale).numpy()  # (n, C)
    gamma = _kernel_coefficient(samples, gamma)
    from sklearn.svm import SVC  # scikit-learn takes as long to import as torch

    svc = SVC(C=penalty, gamma=gamma, cache_size=500, max_iter=max_iter)
    machine = PixelSVM(mean=mean, scale=scale, **_fit(samples, labels.ravel()[index], svc))
    return machine.approximate(n_components, seed) if method == 'nystroem' else machine


def sample_pixels(
    labels: np.ndarray, n_samples: int, seed: int = 0, ignore_index: int = 255
) -> np.ndarray:
    """Draw the same number of pixels of every label.

    Args:
        labels: (H, W) integers.
        n_samples: pixels per label, >= 1; drawn with replacement where a label has fewer.
        seed: of the drawing.
        ignore_index: label value that is never drawn.

    Returns:
        (L * n_samples,) flat pixel indices, grouped by ascending label.

    Raises:
        ValueError: ``n_samples`` < 1 or no labelled pixel.
    """
    check_range('n_samples', n_samples, '[1, inf)')
    flat = to_numpy(labels).ravel()
    present = np.setdiff1d(flat, [ignore_index])
    if len(present) == 0:
        raise ValueError(f'labels has no labelled pixel (all are ignore_index={ignore_index})')
    rng = np.random.default_rng(seed)
    pools = [np.flatnonzero(flat == value) for value in present]
    return np.concatenate([rng.choice(p, n_samples, replace=len(p) < n_samples) for p in pools])


def select_seed_pixels(
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    top_fraction: float = 0.5,
    ignore_index: int = 255,
) -> np.ndarray:
    """Keep the pixels of a weak label map that are worth learning from.

    A pixel is kept if the class maps agree with its label (their argmax is the label) and its
    score is in the top part of the scores of that label's agreeing pixels in this image.

    Args:
        scores: (K, H, W) class maps, channel = label.
        labels: (H, W) integers in ``0..K - 1`` or ``ignore_index``.
        top_fraction: part of a label's agreeing pixels to keep, in (0, 1]; pixels that tie with
            the last one are kept too.
        ignore_index: value of the pixels that are not kept.

    Returns:
        (H, W) copy of ``labels`` with ``ignore_index`` at all other pixels.

    Raises:
        ValueError: shapes do not fit, or ``top_fraction`` is out of range.
    """
    scores, labels = to_numpy(scores), to_numpy(labels)
    check_shapes(labels=(labels, 'H W'), scores=(scores, 'K H W'))
    best = scores.argmax(axis=0)
    out = np.full_like(labels, ignore_index)
    for value in np.setdiff1d(labels, [ignore_index]):
        agree = (labels == value) & (best == value)
        if agree.any():
            limit = np.quantile(scores[value][agree], 1 - top_fraction, method='higher')
            out[agree & (scores[value] >= limit)] = value
    return out


def _as_float(features: Array) -> Tensor:
    """Features as a float32 tensor, where a tensor is."""
    if not isinstance(features, Tensor):
        features = torch.from_numpy(to_numpy(features))
    return features.float()


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel in float64, one channel at a time to save memory.

    The solver stops at a tolerance, so rounding of its input would show in the decision values.
    """
    stats = [_moments_of_channel(channel.double()) for channel in features]
    mean, scale = (torch.stack(part).cpu() for part in zip(*stats))
    if not (torch.isfinite(scale).all() and torch.isfinite(mean).all()):
        raise ValueError('features must be finite')
    # A constant channel tells nothing: 0 everywhere instead of rounding noise blown up.
    constant = scale <= 1e-6 * mean.abs()
    return mean, torch.where(constant, torch.inf, scale)


def _moments_of_channel(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of float64 values, which are overwritten; faster than ``std_mean``."""
    mean = values.mean()
    return mean, values.sub_(mean).square_().mean().sqrt()


def _fit(samples: np.ndarray, targets: np.ndarray, svc: Any) -> dict[str, Any]:
    """Fit one-vs-rest machines to samples (n, C): fields of :class:`PixelSVM`."""
    from sklearn.base import clone
    from sklearn.preprocessing import LabelBinarizer

    values, union, stopped = np.unique(targets), np.zeros(1, int), 0
    weights, bias = np.zeros((1, 0)), np.zeros(0)
    if len(values) > 1:
        # One column for two labels.
        columns = LabelBinarizer().fit_transform(targets).T
        machines = [clone(svc).fit(samples, one_vs_rest) for one_vs_rest in columns]
        union = np.unique(np.concatenate([machine.support_ for machine in machines]))
        weights = np.zeros((len(union), len(machines)))
        for column, machine in enumerate(machines):
            weights[np.searchsorted(union, machine.support_), column] = machine.dual_coef_[0]
        bias = np.array([machine.intercept_[0] for machine in machines])
        stopped = sum(machine.fit_status_ for machine in machines)
    return {
        'values': values,
        'vectors': torch.from_numpy(samples[union]),
        'weights': torch.from_numpy(weights),
        'bias': torch.from_numpy(bias),
        'gamma': svc.gamma,
        'stopped': stopped,
    }


def _kernel_coefficient(samples: np.ndarray, gamma: float | str) -> float | str:
    """scikit-learn's meaning of ``gamma``; what has none is left for it to refuse."""
    if gamma == 'scale':
        variance = samples.var()
        return float(1 / (samples.shape[1] * variance)) if variance > 0 else 1.0
    if gamma == 'auto':
        return 1.0 / int(samples.shape[1])
    return gamma


def _extend(pixels: Tensor, gamma: float) -> Tensor:
    """(C, n) -> (C + 2, n): one product then gives squared distances, norms included."""
    norm = pixels.square().sum(0, keepdim=True)
    return torch.cat([pixels, torch.ones_like(norm), -gamma * _LOG2_E * norm])


def _winner(decision: Tensor) -> tuple[Tensor, Tensor]:
    """(M, n) decision values -> (n,) index of the label, (n,) distance to the next label."""
    if len(decision) == 1:
        return (decision[0] > 0).long(), decision[0].abs()
    top = decision.topk(2, dim=0)
    return top.indices[0], top.values[0] - top.values[1]
