"""What the readers share: JSON files, and a label for every image."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from mmengine import fileio

from mmwsss.io.damage import parsing
from mmwsss.utils.names import name_some

__all__ = ['collect_labels', 'load_json']


def load_json(path: str, backend_args: dict[str, Any] | None = None, **options: Any) -> Any:
    """Read a JSON file; ``options`` are those of ``json.loads``."""
    content = fileio.get(path, backend_args=backend_args)
    with parsing(f'{path} is not JSON'):
        return json.loads(content, **options)


def collect_labels(
    ids: Sequence[str], label_of: Callable[[str], list[int] | None], path: str, files: str = ''
) -> dict[str, list[int]]:
    """Return the label of every image, or name those that have none.

    ``label_of`` gives the class ids of an image id; None, or a missing file, if ``path`` lacks it. ``files``
    says what each image has a file of; it is empty for a single file.
    """
    labels: dict[str, list[int]] = {}
    missing = []
    for image_id in ids:
        try:
            label = label_of(image_id)
        except FileNotFoundError:
            label = None
        if label is None:
            missing.append(image_id)
        else:
            labels[image_id] = label
    if missing:
        error = FileNotFoundError if files else ValueError
        what = f'the {files} of ' if files else ''
        raise error(f'{path} lacks {what}{len(missing)} of {len(ids)} images: {name_some(missing)}')
    return labels
