"""Class counts, and names, of a model from the class list of its dataset."""

from __future__ import annotations

from typing import Any

from mmseg.registry import DATASETS

from mmwsss.utils.names import has_background
from mmwsss.utils.nested import dicts_in

__all__ = ['AUTO', 'fill_num_classes']

AUTO = 'auto'
# Where the class list is looked for, in this order.
PLACES = ('train_dataloader', 'map_dataset', 'test_dataloader', 'val_dataloader')


def fill_num_classes(cfg: Any) -> None:
    """Replace every ``num_classes='auto'`` of a config's model by the number that its dataset says.

    The head of a localizer (``model.head``) and its backbone have the foreground classes, every other
    head counts the background, too. ``class_texts='auto'`` becomes the names of the foreground classes.

    Args:
        cfg: The config; changed in place. Without any ``'auto'`` nothing is read.

    Raises:
        FileNotFoundError: The dataset's list of class names does not exist.
        ValueError: No dataset of the config has a class list.
    """
    model = cfg.get('model') or {}
    wanted = [
        (key, node)
        for key, part in model.items()
        for node in dicts_in(part)
        if AUTO in (node.get('num_classes'), node.get('class_texts'))
    ]
    classes = class_list(cfg) if wanted else ()
    with_background = has_background(classes)
    for key, node in wanted:
        if node.get('num_classes') == AUTO:
            node['num_classes'] = len(classes) - (key in ('head', 'backbone') and with_background)
        if node.get('class_texts') == AUTO:
            node['class_texts'] = list(classes[with_background:])


def class_list(cfg: Any) -> tuple[str, ...]:
    """Class names of the config's dataset, background first if there is one; errors as above."""
    for place in PLACES:
        for dataset in dicts_in(cfg.get(place)):  # wrappers before what they wrap
            kind = DATASETS.get(str(dataset.get('type')))
            if kind is None:
                continue
            own = getattr(kind, 'METAINFO', {})
            classes = (dataset.get('metainfo') or {}).get('classes', own.get('classes'))
            if hasattr(kind, 'class_list') and (classes or dataset.get('classes')):
                return kind.class_list(**dataset)
            if classes:
                return tuple(classes)
    raise ValueError(
        f"'auto' (num_classes, class_texts) needs a dataset with classes in one of {PLACES}"
    )
