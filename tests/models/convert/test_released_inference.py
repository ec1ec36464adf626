"""Converted checkpoints give what the released inference gives on the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

import mmwsss  # noqa: F401  registers the models
from mmwsss.models.convert import released_sipe_to_mmwsss
from tests.models.convert.test_released import (
    CAM,
    COPIES,
    IRNET,
    MODEL,
    released,
    released_cam,
    released_irnet,
)
from tests.oracles import released as oracle

NORM = (110.0, 60.0)
SCALES = (1.0, 0.5, 1.5)
LABEL = [1, 0, 1]
LOCALIZER = dict(
    data_preprocessor=dict(type='WSSSDataPreProcessor', mean=[NORM[0]] * 3, std=[NORM[1]] * 3),
    freeze_norm=True,
    norm_affine='trained',
    test_cfg=dict(scales=SCALES, flip=True, resize='uint8'),
)


def tamed(state, image=None):
    """The same names and copies with weights that keep activations at a size; BN affine as trained.

    Random deep features are nearly the same everywhere. Projections are therefore made to miss the
    mean feature of ``image``, so that classes differ from place to place.
    """
    fresh = {id(value): number for number, value in enumerate(state.values())}
    weights = {}
    for name, value in state.items():
        weights.setdefault(id(value), random_weight(name, value, fresh[id(value)]))
    state = {name: weights[id(value)] for name, value in state.items()}
    if image is not None:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].double()
        feats = oracle.stages(state, (pixels - NORM[0]) / NORM[1])
        for name, index in dict(side1=1, side2=2, side3=3, side4=4, classifier=4).items():
            if f'{name}.weight' in state:
                weight = state[f'{name}.weight']
                mean = feats[index].mean(dim=(0, 2, 3)).float()
                dot = (weight[:, :, 0, 0] @ mean) / (mean @ mean)
                weight -= (dot[:, None] * mean)[:, :, None, None]
    return state


def random_weight(name, value, seed):
    new = torch.randn(value.shape, generator=torch.Generator().manual_seed(seed))
    if value.ndim == 4:
        return new * (2 / value[0].numel()) ** 0.5
    if name.endswith('running_var'):
        return 0.5 + new.abs()
    if name.endswith('num_batches_tracked'):
        return value
    return 0.6 + 0.2 * new if name.endswith('.weight') else 0.2 * new


def picture(seed=0, size=(52, 70)):
    """Smooth colours with an edge, so that scales and mirrors differ."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.integers(0, 256, (1, 3, 5, 6)).astype(np.float32))
    fine = torch.nn.functional.interpolate(coarse, size=size, mode='bicubic').clamp(0, 255)
    return fine[0].permute(1, 2, 0).to(torch.uint8).numpy()


def load(config, theirs):
    model = MODELS.build(config).eval()
    model.load_state_dict(released_sipe_to_mmwsss(theirs)[0], strict=True)
    return model


def class_maps(model, image):
    pixels = torch.from_numpy(image).permute(2, 0, 1).float()
    _, keys, maps = model.class_maps((pixels - NORM[0]) / NORM[1], torch.tensor(LABEL).float())
    return keys.tolist(), maps.numpy()


@pytest.mark.parametrize('seed', range(2))
def test_sipe_gives_the_released_masks(seed):
    image = picture(seed)
    theirs = tamed(released(aliases=COPIES), image)
    assert len(theirs) == 964
    model = load({**MODEL, **LOCALIZER}, theirs)
    want = oracle.sipe_maps(theirs, image, LABEL, SCALES, NORM)
    keys, maps = class_maps(model, image)
    assert keys == [0, 1, 3]
    assert want[2].max() == 0
    np.testing.assert_allclose(maps, want[keys], atol=1e-5)
    assert len(np.unique(want[keys].argmax(0))) > 1
    np.testing.assert_array_equal(maps.argmax(0), want[keys].argmax(0))
    model.head.test_absent_classes = 'masked'
    assert (class_maps(model, image)[1].argmax(0) != want[keys].argmax(0)).any()


@pytest.mark.parametrize('aliases', [COPIES, ('newly_added', 'stage5', 'backbone5')])
def test_cam_gives_the_released_masks(aliases):
    image = picture()
    theirs = tamed(released_cam(aliases=aliases), image)
    head = dict(CAM['head'], rectify='views')
    model = load({**CAM, **LOCALIZER, 'head': head}, theirs)
    want = oracle.cam_maps(theirs, image, LABEL, SCALES, NORM)
    keys, maps = class_maps(model, image)
    assert keys == [1, 3]
    np.testing.assert_allclose(maps, want[[0, 2]], atol=1e-5)
    background = np.full((1, *maps.shape[1:]), 0.15)
    masks = [np.concatenate([background, m]).argmax(0) for m in (maps, want[[0, 2]])]
    assert len(np.unique(masks[1])) == 3
    np.testing.assert_array_equal(*masks)
    model.head.rectify = 'sum'
    assert np.abs(class_maps(model, image)[1] - maps).max() > 1e-3


def test_irnet_gives_the_released_edges_and_displacements():
    theirs = tamed(released_irnet(aliases=COPIES))
    model = load(IRNET, theirs)
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    edge, displacement = oracle.irnet_outputs(theirs, image.double(), groups=2)
    with torch.no_grad():
        got = model(image)
    torch.testing.assert_close(got[0].double(), edge, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(got[1].double(), displacement, atol=1e-5, rtol=1e-4)
