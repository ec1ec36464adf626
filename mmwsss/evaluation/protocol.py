"""Whether a score used the masks that it is scored against."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ['uses_ground_truth']

FIELD = 'uses_ground_truth'
# How thresholds chosen on the masks were described where nothing but text says it.
OLD_TEXT = re.compile(r'ground truth|\bon (?:the )?(?:true )?masks\b')


def uses_ground_truth(records: Iterable[Mapping[str, Any]], text: str | None = None) -> bool:
    """Whether anything was chosen on the masks that a score is measured against.

    Whoever makes a score or masks says so in the field ``uses_ground_truth``. Files written before
    there was this field, and masks whose config gives only ``threshold_source``, are told by their text:
    this is the one place that reads it.

    Args:
        records: A score, its details, the settings of a manifest: the first that has the field decides.
        text: ``threshold_source`` of the masks, or the protocol of the score, where none has it.
    """
    said = (record.get(FIELD) for record in records)
    found = next((value for value in said if isinstance(value, bool)), None)
    return bool(OLD_TEXT.search(str(text))) if found is None else found
