from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from mmengine.config import Config
from skimage.color import rgb2lab

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import (
    ClassMaps,
    load_class_maps,
    make_record,
    read_record,
    save_class_maps,
    write_record,
)
from mmwsss.refine import BackgroundThreshold, RefinerChain
from mmwsss.stages.image_list import Images
from mmwsss.stages.masks import import_masks, make_masks
from mmwsss.stages.threshold import choose_threshold
from tests.oracles.colour_separation import plain_separation
from tests.tiny_models import localizer_config
from tests.tools.run import run_here

THRESHOLDS = (0.21, 0.41, 0.61)  # between grey values


@pytest.fixture
def case(demo_root, tmp_path):
    """A config that leaves the threshold open, and maps of its images that follow their brightness."""
    cfg = localizer_config(demo_root)
    cfg['mask_cfg'] = {'refiners': [{'type': 'BackgroundThreshold', 'threshold': 'chosen'}]}
    images = Images(Config(cfg).map_dataset)
    for name, path in images.paths.items():
        scores = load_rgb(path)[None, ..., 0].astype(np.float32) / 255
        maps = ClassMaps(np.array(images.labels[name][:1]), scores, scores.shape[1:])
        save_class_maps(tmp_path / 'maps' / f'{name}.npz', maps)
    record = make_record('maps', images.classes, images.split, list(images.paths))
    write_record(tmp_path / 'maps', record)
    return Config(cfg), tmp_path / 'maps', images


def plain_spread(curves, thresholds):
    """Of the choices of all sets of as many images, drawn with replacement."""
    sets = product(range(len(curves)), repeat=len(curves))
    return np.std([thresholds[int(np.argmax(sum(curves[i] for i in drawn)))] for drawn in sets])


def test_mean_over_images_equals_the_plain_loop(case):
    _, maps, images = case
    ids = list(images.paths)[:6]
    choice = choose_threshold(maps, images, ids, THRESHOLDS)
    pictures = [load_rgb(images.paths[name])[::2, ::2] for name in ids]
    curves = [
        [plain_separation(rgb2lab(p), np.float32(p[..., 0]) / 255, t) for t in THRESHOLDS]
        for p in pictures
    ]
    expected = sum(np.array(curve) / max(curve) for curve in curves) / 6
    np.testing.assert_allclose(choice.separation, expected, rtol=1e-6)
    assert choice.threshold == THRESHOLDS[int(np.argmax(expected))]
    assert choice.images == 6
    assert choice.spread() > 0.01
    assert choice.spread() == pytest.approx(plain_spread(choice.curves, THRESHOLDS), abs=0.02)
    assert f'{choice.threshold:g}' in next(r for r in choice.table().split('\n') if 'chosen' in r)


def test_images_without_a_class_and_broken_ones_are_left_out(case):
    _, maps, images = case
    empty, broken, *rest = images.paths
    size = load_rgb(images.paths[empty]).shape[:2]
    save_class_maps(maps / f'{empty}.npz', ClassMaps(np.zeros(0, int), np.zeros((0, 4, 4)), size))
    (maps / f'{broken}.npz').write_bytes(b'broken')
    choice = choose_threshold(maps, images, list(images.paths), THRESHOLDS)
    assert list(choice.report.failed) == [broken]
    assert choice.images == len(rest)
    alone = choose_threshold(maps, images, rest, THRESHOLDS)
    np.testing.assert_array_equal(choice.separation, alone.separation)
    with pytest.raises(ValueError, match='none of 1 images has maps of a class'):
        choose_threshold(maps, images, [empty], THRESHOLDS)


def test_bad_arguments(case):
    _, maps, images = case
    with pytest.raises(ValueError, match='strictly increasing'):
        choose_threshold(maps, images, list(images.paths), (0.5, 0.5))
    images.classes = images.classes[1:]
    with pytest.raises(ValueError, match='these classes have no background'):
        choose_threshold(maps, images, list(images.paths))


def test_masks_with_the_chosen_threshold_say_so(case, tmp_path):
    cfg, maps, images = case
    assert make_masks(cfg, maps, tmp_path / 'chosen').exit_code == 0
    choice = choose_threshold(maps, images, list(images.paths))
    protocol = read_record(tmp_path / 'chosen').protocol
    assert (protocol.threshold, protocol.threshold_source) == (choice.threshold, choice.source)
    assert not protocol.uses_ground_truth
    assert 'without masks' in protocol.text()

    cfg.mask_cfg.refiners[0].threshold = choice.threshold
    make_masks(cfg, maps, tmp_path / 'given')
    for file in (tmp_path / 'given').glob('*.png'):
        assert file.read_bytes() == (tmp_path / 'chosen' / file.name).read_bytes()


def test_a_mended_image_is_done_by_the_same_command(case, tmp_path):
    cfg, maps, images = case
    broken, *rest = images.paths
    whole = (maps / f'{broken}.npz').read_bytes()
    (maps / f'{broken}.npz').write_bytes(b'broken')
    assert list(make_masks(cfg, maps, tmp_path / 'masks').failed) == [broken]
    (maps / f'{broken}.npz').write_bytes(whole)
    chosen = [choose_threshold(maps, images, ids) for ids in (rest, [broken, *rest])]
    assert chosen[0].threshold == chosen[1].threshold
    assert make_masks(cfg, maps, tmp_path / 'masks').done == [broken]
    assert read_record(tmp_path / 'masks').protocol.threshold_source == chosen[1].source


def test_imported_maps_have_their_threshold_chosen_too(case, tmp_path):
    cfg, maps, images = case
    for name in images.paths:
        own = load_class_maps(maps / f'{name}.npz')
        (tmp_path / 'foreign').mkdir(exist_ok=True)
        np.savez(tmp_path / 'foreign' / f'{name}.npz', keys=own.keys - 1, cam=own.scores)
    assert import_masks(cfg, tmp_path / 'foreign', tmp_path / 'imported').exit_code == 0
    make_masks(cfg, maps, tmp_path / 'masks')
    protocols = [read_record(tmp_path / each).protocol for each in ('imported', 'masks')]
    assert protocols[0].threshold == protocols[1].threshold
    assert protocols[0].threshold_source == protocols[1].threshold_source
    for file in (tmp_path / 'masks').glob('*.png'):
        assert file.read_bytes() == (tmp_path / 'imported' / file.name).read_bytes()


def test_no_threshold_for_maps_with_background(case, tmp_path):
    cfg, maps, _ = case
    record = read_record(maps)
    write_record(maps, replace(record, settings={'has_background': True}))
    with pytest.raises(ValueError, match='have a background of their own'):
        make_masks(cfg, maps, tmp_path / 'masks')


def test_a_background_is_not_looked_at_and_may_be_replaced(case, tmp_path):
    cfg, maps, images = case
    make_masks(cfg, maps, tmp_path / 'without')
    choice = choose_threshold(maps, images, list(images.paths))
    for path in maps.glob('*.npz'):
        save_class_maps(path, BackgroundThreshold(0.9)(load_class_maps(path)))
    again = choose_threshold(maps, images, list(images.paths))
    np.testing.assert_array_equal(again.separation, choice.separation)
    write_record(maps, replace(read_record(maps), settings={'has_background': True}))
    cfg.mask_cfg.refiners[0].replace = True
    make_masks(cfg, maps, tmp_path / 'replaced')
    for file in (tmp_path / 'without').glob('*.png'):
        assert file.read_bytes() == (tmp_path / 'replaced' / file.name).read_bytes()


def test_one_image_is_too_few(case):
    with pytest.raises(ValueError, match="threshold='chosen': only make_masks chooses"):
        RefinerChain(case[0].mask_cfg.refiners)


def test_a_folder_of_masks_is_refused(case, tmp_path):
    cfg, maps, _ = case
    make_masks(cfg, maps, tmp_path / 'masks')
    cfg.dump(tmp_path / 'config.py')
    result = run_here('choose_threshold.py', tmp_path / 'config.py', '--maps', tmp_path / 'masks')
    assert result.returncode == 2
    assert 'kind does not fit: found "masks", expected "maps"' in result.stderr


def test_a_config_without_maps_is_refused(tmp_path):
    config = tmp_path / 'segmenter.py'
    config.write_text("model = dict(type='EncoderDecoder')\n")
    result = run_here('choose_threshold.py', config, '--maps', tmp_path)
    assert result.returncode == 2
    assert 'segmenter.py has no `map_dataset`; localizer configs have it' in result.stderr
