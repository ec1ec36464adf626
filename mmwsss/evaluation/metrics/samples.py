"""Taking values out of the data samples that an evaluator hands to a metric."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from numpy.typing import NDArray

from mmwsss.functional.checks import to_numpy

__all__ = ['class_names', 'image_name', 'sample_array']


def image_name(sample: Mapping[str, Any]) -> str:
    """The image's id: ``img_id``, or else the stem of ``seg_map_path`` or ``img_path``."""
    if sample.get('img_id') is not None:
        return str(sample['img_id'])
    return PurePath(sample.get('seg_map_path') or sample.get('img_path') or 'an image').stem


def class_names(dataset_meta: Mapping[str, Any] | None) -> list[str]:
    """The dataset's class names, background first.

    Raises:
        ValueError: The dataset names no classes.
    """
    classes = (dataset_meta or {}).get('classes')
    if not classes:
        raise ValueError("dataset_meta must have 'classes', background first")
    return list(classes)


def sample_array(sample: Mapping[str, Any], key: str) -> NDArray[Any]:
    """Return an entry of a data sample as an array on the CPU.

    Entries that are pixel data (``{'data': tensor (1, H, W)}``) come back as (H, W).

    Args:
        sample: The data sample as a dictionary.
        key: Name of the entry.

    Raises:
        ValueError: The sample has no such entry.
    """
    if sample.get(key) is None:
        raise ValueError(f'the data sample of {image_name(sample)!r} has no {key!r}')
    value = sample[key]
    return to_numpy(value['data'][0] if isinstance(value, Mapping) else value)
