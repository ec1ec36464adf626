"""Training and prediction with several input scales at once (DeepLabV2's MSC)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList, SampleList, add_prefix
from torch import Tensor

__all__ = ['MSCEncoderDecoder']


@MODELS.register_module()
class MSCEncoderDecoder(EncoderDecoder):
    """mmseg's ``EncoderDecoder`` that sees each image at several scales (MSC) [1]_.

    The image and its reduced copies run through the same weights. The logits of all scales are
    resized to the resolution of the full scale and fused by their element-wise maximum. Training
    sums one loss on each scale and one on the fused logits::

        loss = sum_s CE(logits_s, labels) + CE(max_s logits_s, labels),    s in {1} + scales

    Each is its own term of the loss dictionary: ``decode_x1.loss_ce``, ``decode_x0.75.loss_ce``,
    ``decode_x0.5.loss_ce`` and ``decode_max.loss_ce`` (with the names of the losses configured). They are
    added and not averaged, as in the released code: a gradient is about ``len(scales) + 2`` times that
    of a plain ``EncoderDecoder``.

    Departure: the released code reduces the label map to the resolution of the logits; here logits are
    enlarged to that of the labels, as every mmseg head does.

    The loss of the decode head must be ``loss_by_feat(forward(features))`` with one logit tensor: not
    that of EncHead, PointHead or mask classification. Auxiliary heads see the full scale. Memory and
    time of a step grow by about ``sum(s**2 for s in scales)``: 0.81 for the default.

    Args:
        scales: Extra input scales, each in (0, 1). The full scale is always present.
        fuse_predictions: Whether prediction, too, uses the maximum over the scales. With False only
            the full scale is computed at test time.
        **kwargs: Arguments of mmseg's ``EncoderDecoder``.

    Raises:
        ValueError: If ``scales`` is empty, has duplicates or a value outside (0, 1).

    References:
        .. [1] Chen et al., DeepLab, TPAMI 2017, section 4.1.2 (multi-scale inputs, max fusion).
    """

    def __init__(
        self,
        *,
        scales: Sequence[float] = (0.5, 0.75),
        fuse_predictions: bool = True,
        **kwargs: object,
    ) -> None:
        if not scales or len(set(scales)) < len(scales) or any(not 0 < s < 1 for s in scales):
            raise ValueError(f'scales must be distinct numbers in (0, 1), but got {scales!r}')
        super().__init__(**kwargs)
        self.scales = tuple(float(scale) for scale in scales)
        self.fuse_predictions = fuse_predictions

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Compute one loss per scale and one on the fused logits, see the class.

        Args:
            inputs: Images (N, 3, H, W), normalised.
            data_samples: N samples with ``gt_sem_seg`` (1, H, W).
        """
        features = self.extract_feat(inputs)
        logits = self._logits_per_scale(inputs, features)
        logits_by_name = {f'x{scale:g}': value for scale, value in logits.items()}
        logits_by_name['max'] = self._fuse(list(logits.values()))
        losses: dict[str, Tensor] = {}
        for name, value in logits_by_name.items():
            terms = self.decode_head.loss_by_feat(value, data_samples)
            losses.update(add_prefix(terms, f'decode_{name}'))
        if self.with_auxiliary_head:
            losses.update(self._auxiliary_head_forward_train(features, data_samples))
        return losses

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict logits (N, num_classes, H, W) of normalised images (N, 3, H, W)."""
        return self.decode_head.predict_by_feat(self._predicted_logits(inputs), batch_img_metas)

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> Tensor:
        return self._predicted_logits(inputs)

    def _predicted_logits(self, inputs: Tensor) -> Tensor:
        features = self.extract_feat(inputs)
        if not self.fuse_predictions:
            return self.decode_head(features)
        return self._fuse(list(self._logits_per_scale(inputs, features).values()))

    def _logits_per_scale(self, inputs: Tensor, features: Sequence[Tensor]) -> dict[float, Tensor]:
        """Logits of the full scale (first, from ``features``) and of each reduced one."""
        logits = {1.0: self.decode_head(features)}
        for scale in self.scales:
            logits[scale] = self.decode_head(self.extract_feat(self._reduce(inputs, scale)))
        return logits

    def _reduce(self, inputs: Tensor, scale: float) -> Tensor:
        if not self.align_corners:
            return F.interpolate(inputs, scale_factor=scale, mode='bilinear', align_corners=False)
        # The size at which both ends of the pixel grid keep their place.
        return self._resize(inputs, [math.floor((n - 1) * scale) + 1 for n in inputs.shape[2:]])

    def _resize(self, values: Tensor, size: Sequence[int]) -> Tensor:
        return resize(values, tuple(size), None, 'bilinear', self.align_corners, warning=False)

    def _fuse(self, logits: list[Tensor]) -> Tensor:
        """Element-wise maximum (N, C, h, w) at the resolution of the first entry."""
        size = logits[0].shape[2:]
        resized = [logits[0], *(self._resize(value, size) for value in logits[1:])]
        return torch.stack(resized).amax(dim=0)
