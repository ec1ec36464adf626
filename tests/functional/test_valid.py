"""The mask of allowed classes and cells against plain loops and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.valid import valid_mask
from tests.oracles import sipe as oracle


@pytest.mark.parametrize('cell', ['centre', 'nearest'])
@pytest.mark.parametrize('seed', range(4))
def test_equals_plain_loop(seed, cell):
    rng = np.random.default_rng(seed)
    labels = (rng.random((3, 5)) < 0.4).astype(np.float64)
    corner = rng.integers(0, 30, (3, 2))
    boxes = np.concatenate([corner, corner + rng.integers(1, 40, (3, 2))], axis=1)
    want = oracle.valid_mask(labels, boxes, (48, 64), (7, 9), cell)
    got = valid_mask(torch.from_numpy(labels), torch.from_numpy(boxes), (48, 64), (7, 9), cell)
    assert got.dtype == torch.float64
    np.testing.assert_array_equal(got.numpy(), want)


def test_centre_rule_by_hand():
    # Cells of 16 pixels have their centres at 8, 24, 40, 56; the box [8, 40) holds 8 and 24.
    mask = valid_mask(torch.tensor([[0.0, 1.0]]), torch.tensor([[8, 0, 40, 64]]), (64, 64), (4, 4))
    assert mask.dtype == torch.float32
    row = [1.0, 1.0, 0.0, 0.0]
    assert mask[0, :, 0].tolist() == [row, [0.0] * 4, row]
    assert torch.equal(mask[0, 0], mask[0, 2])
    assert mask[0, 1].sum() == 0


def test_nearest_is_a_nearest_resize_of_the_pixels():
    """A mask of pixels resized by PyTorch; the box of the docs page: 72 of 4,200 cells change."""
    labels, box = torch.zeros(1, 20), torch.tensor([[5, 0, 150, 137]])
    labels[0, [2, 7, 14]] = 1
    pixels = torch.zeros(1, 1, 160, 320)
    pixels[:, :, 0:137, 5:150] = 1
    inside = torch.nn.functional.interpolate(pixels, size=(10, 20), mode='nearest')
    got = valid_mask(labels, box, (160, 320), (10, 20), 'nearest')
    assert torch.equal(got[:, :1], inside)
    assert torch.equal(got[:, 3:4], inside)
    centre = valid_mask(labels, box, (160, 320), (10, 20), 'centre')
    assert got.numel() == 4200
    assert (got != centre).sum() == 72


def test_whole_image_and_integer_labels():
    mask = valid_mask(torch.tensor([[1]]), torch.tensor([[0, 0, 30, 20]]), (20, 30), (2, 3))
    assert mask.dtype == torch.float32
    assert mask.sum() == 2 * 2 * 3


def test_mirrored_box_gives_mirrored_mask():
    labels = torch.tensor([[1.0, 0.0]])
    mask = valid_mask(labels, torch.tensor([[5, 3, 33, 60]]), (64, 64), (8, 8))
    mirrored = valid_mask(labels, torch.tensor([[64 - 33, 3, 64 - 5, 60]]), (64, 64), (8, 8))
    assert torch.equal(mask.flip(-1), mirrored)
    assert 0 < mask[0, 0].sum() < 64


@pytest.mark.parametrize(
    ('labels', 'boxes', 'size', 'message'),
    [
        (torch.zeros(2), torch.zeros(2, 4), (4, 4), r'labels \(N, K\), .* but got \(2,\)'),
        (
            torch.zeros(2, 3),
            torch.zeros(1, 4),
            (4, 4),
            r'boxes \(N, 4\), but got \(2, 3\), \(1, 4\)',
        ),
    ],
)
def test_refuses_shapes(labels, boxes, size, message):
    with pytest.raises(ValueError, match=message):
        valid_mask(labels, boxes, (64, 64), size)


def test_unknown_cell_point():
    with pytest.raises(ValueError, match=r"cell must be one of .* but got 'corner'"):
        valid_mask(torch.zeros(1, 3), torch.zeros(1, 4), (64, 64), (4, 4), 'corner')
