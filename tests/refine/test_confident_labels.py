from __future__ import annotations

import pickle

import numpy as np
import pytest

import mmwsss.functional.crf as crf
from mmwsss.functional.irn import confident_labels, confident_labels_threshold_free
from mmwsss.io import ClassMaps
from mmwsss.refine import RefinerChain, build_refiner
from mmwsss.refine.confident_labels import ConfidentLabels

SIZE = (24, 36)
THRESHOLDS = {'fg_threshold': 0.3, 'bg_threshold': 0.05}


def scene(background: bool = True):
    """A dark, an in-between and a bright third; the object's score falls from right to left."""
    thirds = np.repeat([0, 1, 2], 12) * np.ones((24, 1), int)
    image = np.repeat(np.array([40, 120, 220])[thirds][..., None], 3, axis=2).astype(np.uint8)
    score = np.array([0.02, 0.2, 0.9])[thirds]
    other = np.array([0.0, 0.01, 0.1])[thirds]
    own = np.array([0.9, 0.3, 0.1])[thirds]
    scores = np.stack([own, score, other] if background else [score, other])
    return ClassMaps(np.array([0, 4, 9] if background else [4, 9]), scores, SIZE), image, thirds


@pytest.mark.parametrize('settings', [{}, THRESHOLDS])
def test_sure_pixels_are_labelled_and_the_others_undecided(settings):
    maps, image, thirds = scene()
    labels = ConfidentLabels(**settings)(maps, image, 'a')
    np.testing.assert_array_equal(labels, np.array([0, 255, 4])[thirds])
    assert labels.dtype == np.uint8


def test_thresholds_ignore_the_background_map():
    with_background, image, _ = scene()
    refiner = ConfidentLabels(**THRESHOLDS)
    labels = refiner(scene(background=False)[0], image)
    np.testing.assert_array_equal(refiner(with_background, image), labels)


def test_coarse_maps_and_kernel_parameters_reach_the_functions():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    maps = ClassMaps(np.array([0, 4, 9]), rng.random((3, 6, 9)), SIZE)
    full, params = maps.full_size_scores(), {'bilateral_compat': 2, 'gaussian_sxy': 5}
    got = ConfidentLabels(bg_attenuation=0.7, crf=params)(maps, image)
    want = confident_labels_threshold_free(image, full, [4, 9], bg_attenuation=0.7, **params)
    np.testing.assert_array_equal(got, want)
    assert (got != ConfidentLabels(crf=params)(maps, image)).any()
    got = ConfidentLabels(0.6, 0.2, crf=params)(maps, image)
    want = confident_labels(image, full[1:], [4, 9], fg_threshold=0.6, bg_threshold=0.2, **params)
    np.testing.assert_array_equal(got, want)


def test_both_label_maps_share_one_lattice(monkeypatch):
    built = []
    plain = crf.CRFLattice.__init__
    monkeypatch.setattr(
        crf.CRFLattice, '__init__', lambda *a, **k: (built.append(1), plain(*a, **k))[1]
    )
    maps, image, _ = scene()
    ConfidentLabels()(maps, image)
    assert len(built) == 1


def test_an_image_without_classes_is_background():
    image = np.zeros((*SIZE, 3), np.uint8)
    empty = ClassMaps(np.zeros(0, int), np.zeros((0, 6, 9)), SIZE)
    assert (ConfidentLabels(**THRESHOLDS)(empty, image) == 0).all()
    only_background = ClassMaps(np.zeros(1, int), np.ones((1, 6, 9)), SIZE)
    assert (ConfidentLabels()(only_background, image) == 0).all()


def test_in_a_chain_and_another_process():
    maps, image, thirds = scene()
    refiner = build_refiner({'type': 'ConfidentLabels', **THRESHOLDS})
    chain = RefinerChain([pickle.loads(pickle.dumps(refiner))])
    assert chain.needs_image
    np.testing.assert_array_equal(chain(maps, image), np.array([0, 255, 4])[thirds])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'fg_threshold': 0.3}, '0 <= bg_threshold <= fg_threshold <= 1'),
        ({'bg_threshold': 0.3}, '0 <= bg_threshold <= fg_threshold <= 1'),
        ({'fg_threshold': 0.1, 'bg_threshold': 0.2}, '0 <= bg_threshold <= fg_threshold <= 1'),
        ({'bg_attenuation': 1.5}, 'bg_attenuation must lie in'),
        ({'crf': {'sxy': 3}}, "key of crf 'sxy' is unknown; valid names are gaussian_sxy"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConfidentLabels(**arguments)


def test_wrong_inputs():
    maps, image, _ = scene(background=False)
    with pytest.raises(ValueError, match=r'no background map .*: set fg_threshold'):
        ConfidentLabels()(maps, image, 'a')
    with pytest.raises(TypeError, match='ConfidentLabels needs ClassMaps'):
        ConfidentLabels()(np.zeros(SIZE, int), image, 'a')
    with pytest.raises(ValueError, match='image must be RGB uint8'):
        ConfidentLabels(**THRESHOLDS)(maps, None, 'a')
