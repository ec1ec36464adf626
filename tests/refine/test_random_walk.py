from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

import mmwsss.models.irnet  # noqa: F401
from mmwsss.functional.random_walk import propagate
from mmwsss.io import ClassMaps
from mmwsss.refine.chain import RefinerChain
from mmwsss.refine.random_walk import RandomWalk
from tests.oracles.irnet import enlarge
from tests.tiny_models import tiny_resnet

SIZE = (22, 31)  # grid of 6 x 8 cells


def irnet_config() -> dict:
    return dict(
        type='IRNet',
        backbone=tiny_resnet(strides=(1, 2, 2, 1)),
        in_channels=(8, 8, 16, 32, 64),
        edge=dict(channels=4, groups=2),
        displacement=dict(channels=(4,) * 5, groups=(2,) * 5, join_channels=4, join_groups=2),
        test_size=(48, 48),
        data_preprocessor=dict(
            type='SegDataPreProcessor', mean=[100.0] * 3, std=[50.0] * 3, bgr_to_rgb=True
        ),
    )


@pytest.fixture
def irnet(tmp_path):
    torch.manual_seed(0)
    model = MODELS.build(irnet_config()).eval()
    config, checkpoint = tmp_path / 'irnet.py', tmp_path / 'irnet.pth'
    config.write_text(f'model = {irnet_config()!r}\n')
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    return model, str(config), str(checkpoint)


@pytest.fixture
def edges(tmp_path):
    edge = np.random.default_rng(0).random((6, 8)) ** 2
    np.save(tmp_path / 'a.npy', edge)
    return tmp_path, torch.from_numpy(edge).float()


def scene(background: bool = True):
    rng = np.random.default_rng(1)
    keys = np.array([0, 4, 9]) if background else np.array([4, 9])
    return ClassMaps(keys, rng.random((len(keys), 6, 8)).astype(np.float32), SIZE)


def up(maps: torch.Tensor) -> np.ndarray:
    return enlarge(maps.double().numpy(), SIZE)


def test_threshold_free(edges):
    folder, edge = edges
    maps = scene()
    out = RandomWalk(edge_dir=str(folder))(maps, None, 'a')
    want = up(propagate(torch.from_numpy(maps.scores) ** 1.5, edge))
    assert out.keys.tolist() == [0, 4, 9]
    np.testing.assert_allclose(out.scores, want / want.max(), rtol=1e-4)


def test_thresholded(edges):
    folder, edge = edges
    refiner = RandomWalk(
        edge_dir=str(folder), background_threshold=0.25, radius=3, beta=2, exp_times=4
    )
    out = refiner(scene(background=False), None, 'a')
    scores = torch.from_numpy(scene(background=False).scores)
    want = up(propagate(scores, edge, radius=3, beta=2, exp_times=4))
    assert out.keys.tolist() == [0, 4, 9]
    assert (out.scores[0] == 0.25).all()
    np.testing.assert_allclose(out.scores[1:], want / want.max(), rtol=1e-4)
    with_background = refiner(scene(), None, 'a')
    assert with_background.keys.tolist() == [0, 4, 9]
    assert (with_background.scores[0] == 0.25).all()


def test_an_edge_map_that_no_stride_gives_is_stretched_over_the_image(tmp_path):
    np.save(tmp_path / 'a.npy', np.zeros((9, 32)))  # 3 x 9 is more than a stride above 22
    scores = np.linspace(1, 0, 9)[:, None] * np.ones((1, 9, 32))
    out = RandomWalk(edge_dir=str(tmp_path), exp_times=0, radius=1, power=1)(
        ClassMaps(np.zeros(1, int), scores, SIZE), None, 'a'
    )
    want = torch.nn.functional.interpolate(torch.from_numpy(scores)[None], SIZE, mode='bilinear')
    np.testing.assert_allclose(out.scores, want[0], atol=1e-6)


@pytest.mark.parametrize(('side', 'cells', 'stride'), [(9, 3, 4), (41, 6, 8), (225, 15, 16)])
def test_walked_maps_are_enlarged_by_the_stride_of_the_edges(tmp_path, side, cells, stride):
    np.save(tmp_path / 'a.npy', np.zeros((cells, cells)))
    scores = np.linspace(1, 0, cells)[:, None] * np.ones((1, cells, cells))
    out = RandomWalk(edge_dir=str(tmp_path), exp_times=0, radius=1, power=1)(
        ClassMaps(np.zeros(1, int), scores, (side, side)), None, 'a'
    )
    size = (cells * stride,) * 2
    want = torch.nn.functional.interpolate(torch.from_numpy(scores)[None], size, mode='bilinear')
    np.testing.assert_allclose(out.scores, want[0, :, :side, :side], atol=1e-6)


def test_maps_of_another_size_are_resized(edges):
    folder, _ = edges
    maps = scene()
    full = ClassMaps(maps.keys, maps.full_size_scores(), SIZE)
    small = RandomWalk(edge_dir=str(folder))(maps, None, 'a')
    assert (
        np.abs(RandomWalk(edge_dir=str(folder))(full, None, 'a').scores - small.scores).max() < 0.1
    )


def test_image_without_classes(edges):
    folder, _ = edges
    empty = ClassMaps(np.zeros(0, int), np.zeros((0, 6, 8)), SIZE)
    out = RandomWalk(edge_dir=str(folder), background_threshold=0.25)(empty, None, 'a')
    assert out.keys.tolist() == [0]
    assert RandomWalk(edge_dir=str(folder)).input_files() == [str(folder)]


def test_edges_of_a_network(irnet):
    model, config, checkpoint = irnet
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    refiner = RandomWalk(config, checkpoint)
    assert refiner.needs_image
    assert list(refiner.input_files()) == [config, checkpoint]
    normal = (torch.from_numpy(image).permute(2, 0, 1)[None].float() - 100) / 50
    edge = model.edge_maps(normal)[0]
    torch.testing.assert_close(refiner.edge_map(image, 'a'), edge, rtol=0, atol=1e-5)
    want = up(propagate(torch.from_numpy(scene().scores) ** 1.5, edge))
    out = refiner(scene(), image, 'a')
    np.testing.assert_allclose(out.scores, want / want.max(), rtol=1e-3, atol=1e-6)
    again = pickle.loads(pickle.dumps(refiner))
    assert again.network._model is None
    np.testing.assert_array_equal(again(scene(), image, 'a').scores, out.scores)


def test_the_backbone_runs_in_the_precision_of_the_chain(irnet):
    _, config, checkpoint = irnet
    image = np.random.default_rng(3).integers(0, 255, (*SIZE, 3), np.uint8)
    (refiner,) = RefinerChain(
        [dict(type='RandomWalk', config=config, checkpoint=checkpoint)], precision='bfloat16'
    ).refiners
    edge = refiner.edge_map(image, 'a')
    exact = RandomWalk(config, checkpoint).edge_map(image, 'a')
    assert edge.dtype == torch.float32
    assert 0 < (edge - exact).abs().max() < 0.05


def test_checkpoint_of_another_model_is_refused(irnet, tmp_path):
    _, config, _ = irnet
    torch.save({'state_dict': {'head.weight': torch.zeros(1)}}, tmp_path / 'other.pth')
    refiner = RandomWalk(config, str(tmp_path / 'other.pth'))
    with pytest.raises(
        ValueError, match=r'other.pth.* does not fit IRNet.*Parts in the file: head; of the model'
    ):
        refiner(scene(), np.zeros((*SIZE, 3), np.uint8), 'a')


def test_bad_edge_maps(tmp_path):
    refiner = RandomWalk(edge_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r'b\.npy'):
        refiner(scene(), None, 'b')
    np.save(tmp_path / 'b.npy', np.zeros((3, 4, 5)))
    with pytest.raises(ValueError, match=r'edge \(h, w\), but got \(3, 4, 5\)'):
        refiner(scene(), None, 'b')
    np.save(tmp_path / 'c.npy', np.full((3, 4), 2.0))
    with pytest.raises(ValueError, match=r'edge must lie in \[0, 1\]'):
        refiner(scene(), None, 'c')
    with pytest.raises(ValueError, match='stays inside'):
        refiner(scene(), None, '../b')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({}, 'either config and checkpoint'),
        ({'config': 'a.py'}, 'either config and checkpoint'),
        ({'edge_dir': 'x', 'config': 'a.py', 'checkpoint': 'a.pth'}, 'either config and'),
        ({'edge_dir': 'x', 'background_threshold': 1.1}, 'background_threshold must lie in'),
        ({'edge_dir': 'x', 'power': 0}, r'power must lie in \(0, inf\)'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomWalk(**arguments)


def test_wrong_inputs(edges):
    refiner = RandomWalk(edge_dir=str(edges[0]))
    with pytest.raises(TypeError, match='RandomWalk needs ClassMaps'):
        refiner(np.zeros(SIZE, int), None, 'a')
    with pytest.raises(ValueError, match='no background map'):
        refiner(scene(background=False), None, 'a')
