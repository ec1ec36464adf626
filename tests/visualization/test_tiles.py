from __future__ import annotations

import numpy as np

from mmwsss.io import ClassMaps
from mmwsss.visualization.tiles import (
    ERROR_COLOURS,
    ImageParts,
    error_overlay,
    image_tiles,
    map_tiles,
    shrink,
)

CLASSES = ['background', 'cat', 'dog']
PALETTE = [[0, 0, 0], [200, 0, 0], [0, 200, 0]]
IMAGE = np.full((4, 6, 3), 90, np.uint8)


def test_errors_have_the_colour_of_their_kind():
    truth = np.array([[1, 1, 0, 0, 1, 255]])
    given = np.array([[1, 0, 2, 0, 2, 1]])
    picture = error_overlay(np.full((1, 6, 3), 90, np.uint8), given, truth, alpha=1.0)
    grey = (90, 90, 90)
    expected = [grey, 'missed', 'too much', grey, 'wrong class', grey]
    assert [tuple(p) for p in picture[0].tolist()] == [ERROR_COLOURS.get(e, e) for e in expected]


def test_an_undecided_pixel_misses_its_class():
    picture = error_overlay(IMAGE[:1, :2], np.array([[255, 255]]), np.array([[1, 0]]), alpha=1.0)
    assert tuple(picture[0, 0]) == ERROR_COLOURS['missed']
    # background that is undecided is wrong, too, and nothing was named there
    assert tuple(picture[0, 1]) == ERROR_COLOURS['missed']


def test_maps_come_in_class_order_with_background_last_and_no_more_than_asked():
    scores = np.stack([np.full((4, 6), value) for value in (0.9, 0.2, 0.8)]).astype(np.float32)
    maps = ClassMaps(np.array([0, 1, 2]), scores, (4, 6))
    titles = [title for title, _ in map_tiles(maps, IMAGE, CLASSES)]
    assert titles == ['map: cat', 'map: dog', 'map: background']
    assert [title for title, _ in map_tiles(maps, IMAGE, CLASSES, limit=1)] == ['map: dog']


def test_steps_of_the_chain_end_at_the_mask():
    maps = ClassMaps(
        np.array([1]), np.linspace(0, 1, 24, dtype=np.float32).reshape(1, 4, 6), (4, 6)
    )
    parts = ImageParts('a', IMAGE, maps=maps)
    labels = (maps.scores[0] > 0.5).astype(int)
    parts.steps = {'1. BackgroundThreshold': labels}
    parts.mask, parts.truth = labels, np.ones((4, 6), int)
    tiles = image_tiles(parts, CLASSES, PALETTE)
    assert [title for title, _ in tiles] == [
        'image', 'map: cat', 'mask, after 1. BackgroundThreshold', 'ground truth',
        'errors of the mask',
    ]  # fmt: skip
    parts.mask = 1 - labels
    titles = [title for title, _ in image_tiles(parts, CLASSES, PALETTE)]
    assert titles[2:4] == ['after 1. BackgroundThreshold', 'mask']


def test_shrink_keeps_small_pictures_and_the_shape_of_large_ones():
    np.testing.assert_array_equal(shrink(IMAGE, 6), IMAGE)
    assert shrink(np.zeros((100, 50, 3), np.uint8), 20).shape == (20, 10, 3)
    assert shrink(np.zeros((1000, 1, 3), np.uint8), 10).shape == (10, 1, 3)
