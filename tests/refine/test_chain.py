from __future__ import annotations

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from mmwsss.io import ClassMaps
from mmwsss.refine import (
    BackgroundThreshold,
    BaseRefiner,
    RefinerChain,
    build_refiner,
    labels_from_maps,
)
from mmwsss.registry import REFINERS
from tests.oracles.confusion import plain_labels


@REFINERS.register_module()
class Toy(BaseRefiner):
    """Multiply scores, or move labels; remembers what it got."""

    def __init__(self, factor: float = 1.0, labels=None, needs_image: bool = False) -> None:
        self.factor, self.labels, self.needs_image = factor, labels, needs_image
        self.calls = []

    def __call__(self, maps, image=None, image_id=''):
        self.calls.append((maps, image, image_id))
        if self.labels is not None:
            return self.labels
        return ClassMaps(maps.keys, maps.scores * self.factor, maps.image_size)

    def input_files(self):
        return ['weights.pth']


@REFINERS.register_module()
class NotARefiner:
    pass


def foreground_maps(seed: int = 0, keys=(2, 5)) -> ClassMaps:
    scores = np.random.default_rng(seed).random((len(keys), 4, 6), dtype=np.float32)
    return ClassMaps(np.array(keys), scores, (4, 6))


@pytest.mark.parametrize('threshold', [0.0, 0.35, 0.6, 1.0])
def test_threshold_chain_equals_the_plain_loop(threshold):
    maps = foreground_maps()
    scores = maps.scores.copy()
    scores[:, 0, 0] = 0.35  # on the threshold: background
    scores[:, 0, 1] = 0.9  # equal scores: the smaller id
    maps = ClassMaps(maps.keys, scores, maps.image_size)
    labels = RefinerChain([{'type': 'BackgroundThreshold', 'threshold': threshold}])(maps)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, plain_labels(scores, maps.keys, threshold))


def test_labels_are_made_at_image_size():
    maps = ClassMaps(np.array([3]), np.array([[[0.0, 1.0]]]), (2, 4))
    labels = RefinerChain([BackgroundThreshold(0.5)])(maps)
    assert labels.tolist() == [[0, 0, 3, 3]] * 2  # 0, 0.25, 0.75, 1


def test_maps_with_background_need_no_refiner():
    maps = ClassMaps(np.array([0, 4]), np.array([[[0.6, 0.1]], [[0.5, 0.2]]]), (1, 2))
    assert RefinerChain()(maps).tolist() == [[0, 4]]


def test_image_without_any_class_becomes_background():
    maps = ClassMaps(np.zeros(0, int), np.zeros((0, 2, 2)), (3, 5))
    labels = RefinerChain([BackgroundThreshold(0.5)])(maps)
    assert labels.shape == (3, 5)
    assert not labels.any()


def test_refiners_run_in_order_and_get_the_image_only_if_they_need_it():
    first, second = Toy(factor=0.5), Toy(factor=0.5, needs_image=True)
    image = np.zeros((4, 6, 3), np.uint8)
    chain = RefinerChain([first, second, {'type': 'BackgroundThreshold', 'threshold': 0.2}])
    maps = foreground_maps()
    labels = chain(maps, image, 'im7')
    np.testing.assert_array_equal(labels, plain_labels(maps.scores, maps.keys, 0.8))
    assert first.calls == [(maps, None, 'im7')]
    np.testing.assert_array_equal(second.calls[0][0].scores, maps.scores * 0.5)
    assert second.calls[0][1] is image
    assert chain.needs_image
    assert chain.input_files() == ['weights.pth'] * 2
    assert not RefinerChain([first]).needs_image


def test_labels_pass_through_and_may_be_undecided():
    labels = np.full((4, 6), 255)
    labels[0, :2] = 0, 5
    found = RefinerChain([Toy(labels=labels)])(foreground_maps())
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize(
    ('result', 'error', 'message'),
    [
        (
            np.full((4, 6), 3),
            ValueError,
            r'Toy must .* classes \[0, 2, 5\], but returned \(4, 6\) with \[3\]',
        ),
        (foreground_maps(keys=(2, 4)), ValueError, r'Toy must .* with \[2, 4\]'),
        (np.zeros((6, 4), int), ValueError, r'labels \(4, 6\) .* returned \(6, 4\)'),
        ('labels', ValueError, r'but returned \(\) with'),
    ],
)
def test_what_a_refiner_must_not_return(result, error, message):
    with pytest.raises(error, match=message):
        RefinerChain([Toy(labels=result)])(foreground_maps())


def test_maps_without_background_cannot_end_a_chain():
    with pytest.raises(ValueError, match=r'no background map \(keys \[2, 5\]\): put a Background'):
        RefinerChain([Toy()])(foreground_maps())
    with pytest.raises(ValueError, match='no background map'):
        labels_from_maps(foreground_maps())


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (None, 'im7: image must be RGB uint8 .* None'),
        (np.zeros((4, 6, 3)), r'im7: image must be RGB uint8 .* float64 \(4, 6, 3\)'),
        (np.zeros((6, 4, 3), np.uint8), r'im7: image must be .*\(4, 6, 3\).* uint8 \(6, 4, 3\)'),
    ],
)
def test_image_is_checked(image, message):
    with pytest.raises(ValueError, match=message):
        RefinerChain([Toy(needs_image=True)])(foreground_maps(), image, 'im7')


@pytest.mark.parametrize('scope', ['mmseg', 'mmengine'])
def test_refiners_are_found_from_any_default_scope(scope):
    with DefaultScope.overwrite_default_scope(scope):
        refiner = build_refiner({'type': 'BackgroundThreshold', 'threshold': 0.3})
    assert refiner.threshold == 0.3


@pytest.mark.parametrize(
    ('cfg', 'error', 'message'),
    [
        (
            {'type': 'BackgroundTreshold'},
            ValueError,
            "'BackgroundTreshold' is unknown; the closest .* 'BackgroundThreshold'",
        ),
        ({'threshold': 0.3}, KeyError, 'type'),
        ({'type': 'BackgroundThreshold', 'treshold': 0.3}, TypeError, 'treshold'),
        (
            {'type': 'BackgroundThreshold', 'threshold': 3},
            ValueError,
            r'refiner BackgroundThreshold: threshold must lie in \[0, 1\], but got 3',
        ),
    ],
)
def test_bad_configs(cfg, error, message):
    with pytest.raises(error, match=message):
        build_refiner(cfg)


class OnAccelerator(Toy):
    """Starts with the scores alone."""

    device = 'cuda'

    def start(self, maps, image=None, image_id=''):
        return maps.keys, maps.scores * self.factor, maps.image_size

    def finish(self, started, image=None, image_id=''):
        return ClassMaps(*started)

    def __call__(self, maps, image=None, image_id=''):
        return self.finish(self.start(maps, image, image_id), image, image_id)


def test_start_goes_up_to_the_last_refiner_on_an_accelerator():
    maps = foreground_maps()
    toys = [OnAccelerator(0.5), Toy(0.8), OnAccelerator(3.0), Toy(0.25)]
    chain = RefinerChain([*toys, BackgroundThreshold(0.1)])
    assert chain.uses_accelerator
    started = chain.start(maps, None, 'a')
    assert (len(toys[1].calls), len(toys[3].calls)) == (1, 0)
    np.testing.assert_allclose(started.state[1], maps.scores * 1.2, rtol=1e-6)
    labels = chain.finish(started, None, 'a')
    assert (len(toys[1].calls), len(toys[3].calls)) == (1, 1)
    np.testing.assert_array_equal(labels, chain(maps))
    np.testing.assert_array_equal(labels, plain_labels(maps.scores * 0.3, maps.keys, 0.1))


def test_a_chain_on_the_cpu_starts_with_nothing():
    toy = Toy(0.5)
    chain = RefinerChain([toy, BackgroundThreshold(0.1)])
    assert not chain.uses_accelerator
    assert chain.start(foreground_maps()).state is not None
    assert toy.calls == []


def test_result_of_an_accelerator_is_checked():
    class Wrong(OnAccelerator):
        def finish(self, started, image=None, image_id=''):
            return np.full((4, 6), 3)

    chain = RefinerChain([Wrong()])
    with pytest.raises(ValueError, match=r'Wrong must return .* with \[3\]'):
        chain.finish(chain.start(foreground_maps()))
