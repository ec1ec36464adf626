"""Dense CRF as the last step of testing any segmenter."""

from __future__ import annotations

import copy
import functools
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement
from mmseg.registry import EVALUATOR
from torch import Tensor

from mmwsss.datasets.transforms.loading import LoadImage
from mmwsss.functional.crf import CRFLattice, dense_crf
from mmwsss.io.pool import Outcome, WorkerPool
from mmwsss.utils.names import check_known, name_some

__all__ = ['DenseCRFEvaluator', 'crf_labels', 'failed_images', 'uses_crf', 'with_crf']

FAILED = 'crf/failed_images'

# Of DeepLabV2; the defaults of dense_crf, written out because a score must state them.
DEEPLABV2 = {
    'gaussian_sxy': 1,
    'gaussian_compat': 3,
    'bilateral_sxy': 67,
    'bilateral_srgb': 3,
    'bilateral_compat': 4,
    'iterations': 10,
}


@EVALUATOR.register_module()
class DenseCRFEvaluator(Evaluator):
    """Score predictions as they are and after a dense CRF on the softmax of their logits.

    An evaluator sees what the model predicted, so this works for any segmenter that predicts
    ``seg_logits`` and for any batch size. With test-time augmentation the model must be
    :class:`~mmwsss.models.segmentors.ScoreTTAModel`, which keeps the averaged scores.

    The results of the two runs are called ``no_crf/...`` and ``crf/...``; ``crf/iterations``,
    ``crf/bilateral_sxy`` and so on state the CRF. An image whose CRF fails is named and counted in
    ``crf/failed_images`` (only there if one did); it keeps its prediction without CRF, so that both
    scores are of the same images. ``tools/test.py`` then exits with 1.

    Files of predictions (``--out``) are with CRF, pictures (``--show-dir``) without.

    Args:
        metrics: The metrics, as in mmengine.
        crf: Arguments of :func:`~mmwsss.functional.dense_crf`; those that are not given are
            DeepLabV2's.
        min_peak: Classes whose probability exceeds this nowhere in an image do not enter its CRF. 0
            keeps all, as published; 0.01 takes about half of the time with 21 classes.
        workers: Processes for the CRF, which then runs while the model predicts the next images. 0:
            in this one.

    Raises:
        ImportError: ``pydensecrf`` is missing.
        ValueError: ``crf`` has an unknown argument, or a number is out of range.
    """

    def __init__(
        self,
        metrics: dict[str, Any] | Sequence[dict[str, Any]],
        crf: dict[str, Any] | None = None,
        min_peak: float = 0.0,
        workers: int = 0,
    ) -> None:
        metrics = [metrics] if isinstance(metrics, dict) else list(metrics)
        super().__init__(copy.deepcopy(metrics))
        self.without = Evaluator(
            [
                {key: v for key, v in metric.items() if key != 'output_dir'}
                for metric in metrics
                if metric['type'] != 'MaskWriter'
            ]
        )
        if not 0 <= min_peak < 1:
            raise ValueError(f'min_peak must lie in [0, 1), but got {min_peak}')
        self.params = {**DEEPLABV2, **(crf or {})}
        for name in self.params:
            check_known('crf: argument', name, [*DEEPLABV2, 'min_prob'])
        pairwise = {k: v for k, v in self.params.items() if k not in ('iterations', 'min_prob')}
        CRFLattice(np.zeros((1, 1, 3), np.uint8), 1, **pairwise)  # fails now, not after an hour
        work = functools.partial(crf_labels, params=self.params, min_peak=min_peak)
        self.min_peak, self.pool = min_peak, WorkerPool(work, workers)
        self.waiting: deque[dict[str, Any]] = deque()  # samples whose CRF is under way
        self.failed: dict[str, str] = {}
        self.seen = 0

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Meta information of the dataset."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        self._dataset_meta = self.without.dataset_meta = dataset_meta
        for metric in self.metrics:
            metric.dataset_meta = dataset_meta

    def process(
        self, data_samples: Sequence[BaseDataElement], data_batch: Any | None = None
    ) -> None:
        """Take the predictions of a batch.

        Raises:
            ValueError: A prediction has no logits of its own labels, or one class only.
        """
        samples = [s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples]
        self.without.process(samples, data_batch)
        for sample in samples:
            probs = probabilities(sample)
            self.waiting.append({k: v for k, v in sample.items() if k != 'seg_logits'})
            for outcome in self.pool.put(sample['img_path'], probs):
                self._take(outcome)

    def evaluate(self, size: int) -> dict[str, Any]:
        """Wait for the CRFs and score both; see the class for the names.

        Raises:
            ValueError: The CRF failed on every image.
        """
        try:
            for outcome in self.pool.drain():
                self._take(outcome)
        finally:
            self.pool.stop()
            self.waiting.clear()
        failed = self._report_failed()
        parameters = ', '.join(f'{key} {value:g}' for key, value in self.params.items())
        if self.min_peak:
            parameters += f', classes above {self.min_peak:g} only'
        print_log('scores without dense CRF:', logger='current')
        scores = {f'no_crf/{key}': value for key, value in self.without.evaluate(size).items()}
        print_log(f'scores with dense CRF ({parameters}):', logger='current')
        scores.update({f'crf/{key}': value for key, value in super().evaluate(size).items()})
        stated = {**self.params, 'min_peak': self.min_peak}
        scores.update({f'crf/{key}': float(value) for key, value in stated.items()})
        return {**scores, FAILED: failed} if failed else scores

    def _take(self, outcome: Outcome) -> None:
        """Give the metrics the labels of an image; those without CRF if it failed."""
        sample, self.seen = self.waiting.popleft(), self.seen + 1
        data = sample['pred_sem_seg']['data']
        if outcome.error is None:
            data = torch.from_numpy(outcome.value).to(data).reshape(data.shape)
        else:
            name = str(sample['img_path'])
            self.failed[name] = outcome.error
            text = f'dense CRF failed: {name}: {outcome.error}'
            print_log(text, logger='current', level=logging.ERROR)
        super().process([{**sample, 'pred_sem_seg': {**sample['pred_sem_seg'], 'data': data}}])

    def _report_failed(self) -> int:
        """Say which images of all ranks failed, and return their number; ``ValueError`` if all did."""
        shares = all_gather_object((self.failed, self.seen))
        failed = {name: text for share, _ in shares for name, text in share.items()}
        seen = sum(count for _, count in shares)
        all_failed = sum(len(share) for share, _ in shares) == seen
        self.failed, self.seen = {}, 0
        if failed and all_failed:
            name, text = next(iter(failed.items()))
            raise ValueError(f'the dense CRF failed on all of {seen} images; {name}: {text}')
        if failed:
            print_log(
                f'the dense CRF failed on {len(failed)} of {seen} images, which keep their prediction '
                f'without it: {name_some(failed)}',
                logger='current',
                level=logging.ERROR,
            )
        return len(failed)


def failed_images(scores: Mapping[str, Any]) -> int:
    """Number of images in a test's scores whose dense CRF failed."""
    return sum(int(value) for key, value in scores.items() if key.endswith(FAILED))


def uses_crf(evaluator: Any) -> bool:
    """Whether an evaluator's config has the dense CRF."""
    return isinstance(evaluator, dict) and evaluator.get('type') == 'DenseCRFEvaluator'


def with_crf(evaluator: Any, workers: int = 0) -> dict[str, Any]:
    """Config of an evaluator with the dense CRF of the defaults, around another's metrics."""
    if uses_crf(evaluator):
        return dict(evaluator)
    plain = isinstance(evaluator, dict) and 'metrics' in evaluator
    metrics = evaluator['metrics'] if plain else evaluator
    return {'type': 'DenseCRFEvaluator', 'metrics': metrics, 'workers': workers}


def crf_labels(
    img_path: str, probs: np.ndarray, params: dict[str, Any], min_peak: float = 0.0
) -> np.ndarray:
    """Labels (H, W) int64 of the dense CRF on probabilities (K, H, W) of an image file."""
    image = LoadImage()({'img_path': img_path})['img']
    if min_peak > 0:
        probs = probs * (probs.max(axis=(1, 2), keepdims=True) > min_peak)
    labels: np.ndarray = dense_crf(image, probs, **params).argmax(axis=0)
    return labels


def probabilities(sample: dict[str, Any]) -> np.ndarray:
    """Softmax (K, H, W) of a sample's logits; ``ValueError`` if its labels do not come from them."""
    name = sample['img_path']
    logits: Tensor = sample.get('seg_logits', {}).get('data', torch.empty(0))
    if logits.ndim != 3 or len(logits) < 2:
        raise ValueError(
            f'{name}: the dense CRF needs seg_logits (K >= 2, H, W), but got {tuple(logits.shape)}'
        )
    labels = sample['pred_sem_seg']['data'].reshape(logits.shape[1:])
    if not torch.equal(logits.argmax(dim=0), labels.long()):
        raise ValueError(
            f'{name}: the labels are not the argmax of seg_logits; with test-time '
            "augmentation tta_model must be dict(type='ScoreTTAModel')"
        )
    return logits.float().softmax(dim=0).cpu().numpy()
