"""Slow loops over pixels for the constraints of boxes, by hand from the rules."""

from __future__ import annotations

import numpy as np


def inside(box, y: int, x: int) -> bool:
    _, x0, y0, x1, y1 = box
    return x0 <= x + 0.5 < x1 and y0 <= y + 0.5 < y1


def plain_maps(scores, keys, boxes):
    result = scores.copy()
    for i, key in enumerate(keys):
        for y, x in np.ndindex(scores.shape[1:]):
            own = any(box[0] == key and inside(box, y, x) for box in boxes)
            if key != 0 and not own and scores[i, y, x] > 0:
                result[i, y, x] = 0
    return result


def plain_labels(labels, boxes, min_fill, inner):
    height, width = labels.shape
    boxes = [
        (k, max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)) for k, x0, y0, x1, y1 in boxes
    ]
    places = list(np.ndindex(labels.shape))
    first = labels.copy()
    for y, x in places:
        here = {box[0] for box in boxes if inside(box, y, x)}
        if not here:
            first[y, x] = 0
        elif labels[y, x] != 0 and labels[y, x] not in here:
            first[y, x] = 255
    result = first.copy()
    pixels = {box: [place for place in places if inside(box, *place)] for box in boxes}
    for box in sorted(boxes, key=lambda b: -len(pixels[b])):
        count = sum(first[place] == box[0] for place in pixels[box])
        if pixels[box] and count / len(pixels[box]) < min_fill:
            k, x0, y0, x1, y1 = box
            dx, dy = ((side - max(side * inner**0.5, 1)) / 2 for side in (x1 - x0, y1 - y0))
            middle = (k, x0 + dx, y0 + dy, x1 - dx, y1 - dy)
            for place in pixels[box]:
                result[place] = k if inside(middle, *place) else 255
        else:
            for place in pixels[box]:
                result[place] = box[0] if first[place] == box[0] else result[place]
    return result
