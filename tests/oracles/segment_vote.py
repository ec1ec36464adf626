"""Slow loop of the segments' vote, pixel by pixel and with sets."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def vote_loop(labels: np.ndarray, segments: np.ndarray, max_area: float) -> np.ndarray:
    regions: dict[int, set] = {}
    for place in np.ndindex(labels.shape):
        regions.setdefault(int(labels[place]), set()).add(place)
    foreground = {k: region for k, region in regions.items() if k not in (0, 255)}
    used = []
    for segment in segments:
        pixels = {place for place in np.ndindex(labels.shape) if segment[place]}
        if pixels and len(pixels) <= max_area * labels.size:
            used.append(pixels)
    claims: dict[tuple, list] = {}
    for pixels in used:
        overlaps = sorted((-len(pixels & region), k) for k, region in foreground.items())
        if not overlaps or overlaps[0][0] == 0:
            continue
        count, k = -overlaps[0][0], overlaps[0][1]
        share = Fraction(count, len(pixels))
        if share > Fraction(1, 2) or Fraction(count, len(foreground[k])) >= Fraction(85, 100):
            for place in pixels:
                claims.setdefault(place, []).append((-share, len(pixels), k))
    out = labels.copy()
    for place in np.ndindex(labels.shape):
        if place in claims:
            out[place] = min(claims[place])[2]
        elif labels[place] != 255 and any(place in pixels for pixels in used):
            out[place] = 0
    return out
