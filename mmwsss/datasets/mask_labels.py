"""Whether masks and image-level labels speak of the same classes under the same numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmwsss.utils.names import has_background, name_some, names_by_number

__all__ = ['mask_label_doubts', 'other_numbering']

CASES = 3  # classes in masks that their image does not have, from which on a numbering may be wrong
FITTING = 0.25  # share of these that another numbering may leave

Pairs = Mapping[str, tuple[Collection[int], Collection[int]]]  # image id -> ids of label, of mask


def other_numbering(pairs: Pairs, classes: Sequence[str]) -> str:
    """Say that masks number the classes otherwise, if some ids are mostly in masks of other images.

    Args:
        pairs: Numbers (1..K) of the classes in the label and in the mask of each image; 255 is none.
        classes: Class names in the order of the ids of masks, background first if there is one.

    Returns:
        What the ids seem to mean; empty where they fit, or where no other numbering does.
    """
    shown = [(set(label), set(mask)) for label, mask in pairs.values() if mask]
    if not shown:
        return ''
    named, shift = names_by_number(classes), not has_background(classes)
    order = _best_order(shown, len(named))
    moved = [(label, i) for label, mask in shown for i in mask if order[i] != i]
    before = sum(i not in label for label, i in moved)
    after = sum(order[i] not in label for label, i in moved)
    if before < CASES or after > FITTING * before:
        return ''
    names = [named[order[i]] for i in range(1, len(named))]
    wrong = [
        f'{i - shift} is {names[i - 1]}, not {named[i]}' for i in sorted({i for _, i in moved})
    ]
    return (
        f'{before} times the label of an image lacks the class of an id in its mask, and only {after} times '
        f'if {name_some(wrong)}. The classes in the order of the ids: --classes '
        f'{" ".join(map(_quoted, names))}'
    )


def mask_label_doubts(pairs: Pairs, classes: Sequence[str]) -> list[str]:
    """What about masks does not go with the labels of their images, a sentence each.

    ``pairs`` are those of :func:`other_numbering`, ``classes`` the names by number, background first.
    """
    surplus = {
        name: sorted(set(mask) - set(label))
        for name, (label, mask) in pairs.items()
        if set(mask) - set(label)
    }
    found = []
    if surplus:
        some = [f'{n}: {", ".join(classes[i] for i in ids)}' for n, ids in surplus.items()]
        found.append(
            f'{len(surplus)} of {len(pairs)} masks hold classes that the label of their image does not '
            f'have: {name_some(some, 5)}'
        )
    labelled = Counter(i for label, _ in pairs.values() for i in label)
    in_masks = {i for _, mask in pairs.values() for i in mask}
    if absent := [f'{classes[i]} ({labelled[i]})' for i in sorted(labelled) if i not in in_masks]:
        found.append(
            f'labels of images with a mask that no mask has (number of images): {name_some(absent)}'
        )
    return found


def _best_order(shown: Sequence[tuple[set[int], set[int]]], num_classes: int) -> list[int]:
    """The class id of labels for each class id of masks, one to one, that most images agree with."""
    presence = np.zeros((2, len(shown), num_classes), np.int64)
    for row, (label, mask) in enumerate(shown):
        presence[0, row, sorted(label)] = presence[1, row, sorted(mask)] = 1
    agreement = presence[1].T @ presence[0]
    agreement[0, 0] = len(shown) * num_classes  # background stays
    order: list[int] = linear_sum_assignment(agreement, maximize=True)[1].tolist()
    return order


def _quoted(name: str) -> str:
    return f'"{name}"' if ' ' in name else name
