"""Taking values out of the data samples that an evaluator hands to a metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ['image_name', 'sample_array']


def image_name(sample: dict[str, Any]) -> str:
    """The image's id, or its path, for messages."""
    return str(sample.get('img_id', sample.get('img_path', 'an image')))


def sample_array(sample: dict[str, Any], key: str, metric: str) -> np.ndarray:
    """Return an entry of a data sample as an array on the CPU.

    Entries that are pixel data (``{'data': tensor (1, H, W)}``) come back as (H, W).

    Args:
        sample: The data sample as a dictionary.
        key: Name of the entry.
        metric: Named in the message.

    Raises:
        ValueError: The sample has no such entry.
    """
    if key not in sample:
        raise ValueError(f'{metric} needs {key!r} in the data sample of {image_name(sample)}')
    value = sample[key]
    if isinstance(value, dict):
        value = value['data'][0]
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
