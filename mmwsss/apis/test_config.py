"""Testing on other datasets than those of a segmenter's config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsss.utils.config import load_config

__all__ = ['TEST_KEYS', 'use_test_config']

TEST_KEYS = ('test_dataloader', 'test_evaluator', 'test_cfg')


def use_test_config(cfg: Config, path: str | Path, options: dict[str, Any] | None = None) -> None:
    """Take what a config tests on from another file.

    Args:
        cfg: The config to change.
        path: File with ``test_dataloader``, ``test_evaluator`` and ``test_cfg``.
        options: Options for that file, as of ``--cfg-options``.

    Raises:
        ValueError: The file lacks one of the three.
    """
    other = load_config(path, options)
    missing = [key for key in TEST_KEYS if key not in other]
    if missing:
        raise ValueError(f'{path} must have {list(TEST_KEYS)} to test with, but lacks {missing}')
    for key in TEST_KEYS:
        cfg[key] = other[key]
