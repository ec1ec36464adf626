from __future__ import annotations

import numpy as np
import pytest
import torch

from mmwsss.functional.par import pixel_adaptive_refine
from mmwsss.io import ClassMaps
from mmwsss.refine import PixelAdaptiveRefinement, RefinerChain

SIZE = (25, 33)


def scene():
    """Two colours, and coarse maps whose border lies beside that of the colours."""
    image = np.full((*SIZE, 3), 50, np.uint8)
    image[:, 17:] = 200
    scores = np.zeros((1, 13, 17), np.float32)
    scores[0, :, 11:] = 0.8
    return image, ClassMaps(np.array([7]), scores, SIZE)


def test_maps_keep_their_grid_and_labels_follow_the_colours():
    image, maps = scene()
    threshold = dict(type='BackgroundThreshold', threshold=0.3)
    with_background = RefinerChain([threshold]).refiners[0](maps)
    refined = PixelAdaptiveRefinement(dilations=(1, 2), iterations=15)(with_background, image)
    wanted = pixel_adaptive_refine(
        torch.from_numpy(image).permute(2, 0, 1)[None],
        torch.from_numpy(with_background.scores)[None],
        (1, 2),
        15,
    )
    np.testing.assert_allclose(refined.scores, wanted[0].numpy(), atol=1e-6)
    labels = RefinerChain([threshold, dict(type='PixelAdaptiveRefinement')])(maps, image)
    truth = np.where(image[..., 0] == 200, 7, 0)
    assert (labels == truth).mean() > 0.97 > (RefinerChain([threshold])(maps) == truth).mean()


def test_it_needs_maps_a_background_and_the_image():
    image, maps = scene()
    with pytest.raises(ValueError, match='put a BackgroundThreshold before it'):
        PixelAdaptiveRefinement()(maps, image)
    with pytest.raises(TypeError, match='needs ClassMaps'):
        PixelAdaptiveRefinement()(np.zeros(SIZE, np.uint8), image)
    whole = ClassMaps(np.array([0]), maps.scores, SIZE)
    with pytest.raises(ValueError, match='photo: image must be RGB uint8'):
        PixelAdaptiveRefinement()(whole, image[:-1], 'photo')
    with pytest.raises(ValueError, match='iterations must lie in'):
        PixelAdaptiveRefinement(iterations=-1)
