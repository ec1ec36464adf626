"""The pictures of a page and what its script makes of them, in a browser."""

from __future__ import annotations

import base64
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsss.io import (
    ClassMaps,
    load_class_maps,
    load_mask,
    make_record,
    read_record,
    save_mask,
    voc_palette,
    write_record,
)
from mmwsss.refine import BackgroundThreshold, RefinerChain
from mmwsss.report import ReportOptions, write_run_report
from mmwsss.report.gallery import choose_maps, map_levels
from tests.tiny_models import localizer_config

STOPS = np.unique(np.array([*np.round(np.linspace(0, 1, 101), 2), 0.123], np.float32))


@pytest.fixture(scope='module')
def written(run, tmp_path_factory):
    page = tmp_path_factory.mktemp('page') / 'report.html'
    return write_run_report(run, page, ReportOptions(images=2))


def shown(levels, keys, position):
    """What the page shows, pixel by pixel: the first of the highest levels above the slider or background."""
    labels = np.zeros(levels.shape[1:], int)
    for y, x in np.ndindex(labels.shape):
        best = position
        for key, level in zip(keys, levels[:, y, x]):
            if key == 0:
                best = level if position < 0 else best
            elif level > best:
                best, labels[y, x] = level, key
    return labels


def random_maps(keys):
    """Scores with many ties, between classes and with the slider's stops."""
    rng = np.random.default_rng(1)
    scores = rng.choice([*STOPS[::7], 0.1001, 0.1002, 0.505, 0.0, 1.0], (len(keys), 9, 11))
    return ClassMaps(np.array(keys), scores.astype(np.float32), (9, 11))


@pytest.mark.parametrize('stop', [0, 1, 13, 50, 101])
def test_levels_give_the_labels_of_the_scores_at_every_stop(stop):
    maps = random_maps([2, 3, 7])
    levels = map_levels(maps.keys, maps.scores, STOPS)
    expected = RefinerChain([BackgroundThreshold(float(STOPS[stop]))])(maps)
    np.testing.assert_array_equal(shown(levels, maps.keys, stop), expected)


def test_levels_give_the_argmax_with_a_background_map():
    maps = random_maps([0, 2, 3])
    levels = map_levels(maps.keys, maps.scores, STOPS)
    np.testing.assert_array_equal(shown(levels, maps.keys, -1), RefinerChain()(maps))
    objects = ClassMaps(maps.keys[1:], maps.scores[1:], maps.image_size)
    expected = RefinerChain([BackgroundThreshold(float(STOPS[30]))])(objects)
    np.testing.assert_array_equal(shown(levels, maps.keys, 30), expected)


def test_of_many_maps_those_that_win_most_pixels_are_shown():
    scores = np.tile(np.linspace(0, 1, 12)[:, None, None], (1, 4, 4)).astype(np.float32)
    scores[3, :2] = 2
    kept = choose_maps(ClassMaps(np.arange(12), scores, (4, 4)), limit=2)
    assert kept.keys.tolist() == [0, 3, 11]


def colours(labels):
    """RGBA words of labels as the page paints them."""
    rgba = np.dstack([np.array(voc_palette(6))[labels], np.where(labels, 255, 0)])
    return (rgba * (labels > 0)[..., None]).astype(np.uint8)


PIXELS = """
const found = document.querySelector('{}'), canvas = document.createElement('canvas');
[canvas.width, canvas.height] = [found.width, found.height];
canvas.getContext('2d').drawImage(found, 0, 0);
const data = canvas.getContext('2d').getImageData(0, 0, found.width, found.height).data;
return [found.height, found.width, btoa(String.fromCharCode(...data))]
"""


def pixels(browser, selector):
    """RGBA of an element of the page."""
    height, width, data = browser.run(PIXELS.format(selector))
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


@pytest.mark.parametrize(('width', 'height'), [(1300, 900), (400, 800)])
def test_the_slider_the_classes_and_the_zoom(written, run, browser, width, height):
    page, report = written
    name = report.galleries[0].pictures['best'][0].name
    maps = load_class_maps(run / 'maps' / f'{name}.npz')
    mask = load_mask(run / 'masks' / f'{name}.png')
    browser.open(page, width, height)
    ready = "return document.querySelector('.gallery output').textContent"
    browser.wait_until(ready)
    # At the run's threshold the picture is the mask; at others that of the refiner.
    np.testing.assert_array_equal(pixels(browser, 'canvas.live'), colours(mask))
    slide = (
        "const s = document.querySelector('.track input'); s.value = {}; "
        "s.dispatchEvent(new Event('input')); return document.querySelector('output').textContent"
    )
    assert browser.run(slide.format(80)) == 'threshold 0.8'
    moved = RefinerChain([BackgroundThreshold(0.8)])(maps)
    np.testing.assert_array_equal(pixels(browser, 'canvas.live'), colours(moved))
    caption = "return document.querySelector('canvas.live').closest('figure').innerText.trim()"
    assert browser.run(caption) == 'threshold 0.8'
    browser.run("document.querySelector('.reset').click()")
    np.testing.assert_array_equal(pixels(browser, 'canvas.live'), colours(mask))

    # A class that is off vanishes from the picture, from the masks and from the maps.
    key = int(maps.keys[0])
    click = f'document.querySelector(\'.gallery input[value="{key}"]\').click()'
    browser.run(click)
    objects = maps.keys != key
    kept = ClassMaps(maps.keys[objects], maps.scores[objects], maps.image_size)
    without = RefinerChain([BackgroundThreshold(0.5)])(kept)
    left = pixels(browser, 'canvas.live')
    assert not (left == colours(np.array([[key]]))[0, 0]).all(2).any()
    assert (left != colours(without)).any(2).mean() < 0.02  # ties of classes are a level apart
    np.testing.assert_array_equal(
        pixels(browser, 'canvas.labels'), colours(np.where(mask == key, 0, mask))
    )
    hidden = f"return document.querySelector('img.map[data-id=\"{key}\"]').closest('figure').hidden"
    assert browser.run(hidden) is True
    browser.run(click)
    np.testing.assert_array_equal(pixels(browser, 'canvas.live'), colours(mask))

    tile = 'window.probe'
    browser.run(f"{tile} = document.querySelector('canvas.live').closest('.tile')")
    small = browser.run(f'return {tile}.offsetWidth')
    browser.run(f'{tile}.click()')
    large = browser.run(f'return {tile}.offsetWidth')
    assert small * 1.5 < large <= width
    zoom = "document.querySelector('dialog > .slide input')"
    browser.run(f"{zoom}.value = 4; {zoom}.dispatchEvent(new Event('input'))")
    assert browser.run(f'return {tile}.offsetWidth') == pytest.approx(4 * large, abs=4)
    photo = f"return getComputedStyle({tile}, '::before').backgroundImage.slice(0, 20)"
    assert browser.run(photo).startswith('url("data:image/jpeg')
    assert browser.run(slide.format(30)) == 'threshold 0.3'  # its controls went along
    browser.run("document.querySelector('dialog .close').click()")
    browser.wait_until("return document.querySelector('dialog .tile, dialog .controls') === null")
    assert browser.run(f'return {tile}.offsetWidth') == small
    assert browser.run('return document.documentElement.scrollWidth') <= width
    assert browser.errors() == []


def test_without_scripts_the_page_shows_the_same_masks(written, run):
    page, report = written
    text = page.read_text()
    name = report.galleries[0].pictures['best'][0].name
    uri = re.search('<img class="live" [^>]*src="data:image/png;base64,([^"]*)"', text)[1]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri))))
    np.testing.assert_array_equal(picture, colours(load_mask(run / 'masks' / f'{name}.png')))
    assert 'html:not(.js) .dynamic { display: none; }' in text


@pytest.fixture(scope='module')
def unmasked(run, demo_root, tmp_path_factory):
    """The same run of data without true masks, and maps that nobody made masks of."""
    root = tmp_path_factory.mktemp('unmasked') / 'run'
    data = root.parent / 'data'
    shutil.copytree(run, root, ignore=shutil.ignore_patterns('*score*', 'masks.json'))
    shutil.copytree(demo_root, data, ignore=shutil.ignore_patterns('Segmentation*'))
    lists = data / 'ImageSets' / 'Segmentation'
    shutil.copytree(demo_root / 'ImageSets' / 'Segmentation', lists)
    Config(localizer_config(data)).dump(root / 'localizer' / 'tiny.py')
    begun = replace(read_record(root / 'localizer'), result={'checkpoint': 'iter_2.pth'})
    protocol = replace(begun.protocol, trained_on='image labels')
    write_record(root / 'localizer', replace(begun, protocol=protocol))
    shutil.copytree(root / 'maps', root / 'other')
    write_record(root / 'other', replace(read_record(root / 'maps'), split='other'))
    return write_run_report(root, options=ReportOptions(images=2))


def test_without_true_masks_there_are_evenly_chosen_images_and_shares(unmasked, run):
    path, report = unmasked
    assert report.stages == []
    assert [gallery.name for gallery in report.galleries] == ['masks', 'test', 'other']
    masks, test, other = report.galleries
    ids = sorted(path.stem for path in (run / 'masks').glob('*.png'))
    chosen = [picture.name for picture in masks.pictures['evenly chosen']]
    assert chosen == [ids[round(i * (len(ids) - 1) / 3)] for i in range(4)]
    titles = [layer.title for layer in masks.pictures['evenly chosen'][0].layers]
    assert titles[0] == 'image'
    assert titles[-2:] == ['mask, after 1. BackgroundThreshold', 'prediction']
    assert 'live' in [layer.kind for layer in other.pictures['evenly chosen'][0].layers]
    assert not test.has_maps
    shares = report.shares[0]
    labels = [load_mask(run / 'masks' / f'{name}.png').ravel() for name in ids]
    for key in range(len(shares.classes)):
        assert shares.shares[key] == pytest.approx((np.concatenate(labels) == key).mean())
        assert shares.images[key] == sum(key in each for each in labels)
    (show,) = (command for command in report.commands if 'mmwsss show' in command)
    assert 'localizer/iter_2.pth' in show
    page = path.read_text()
    assert 'Foreground' in page
    assert show in page.replace('&#39;', "'")


EMPTY = 'masks of nothing but background score as much or more, 33.33'
LEFT_OUT = 'not in the true masks and left out of the mean: dog'


@pytest.mark.parametrize(
    ('mask', 'truth', 'doubts'),
    [
        ([0, 0, 0], None, ['the masks are nothing but background']),
        ([255] * 3, None, ['all pixels of the masks are undecided (255)']),
        ([1, 1, 1], None, ['100% of the pixels are foreground', 'no mask has dog']),
        ([0, 1, 2], None, []),
        ([0, 1, 1], [0, 0, 1], [LEFT_OUT]),
        ([1, 0, 0], [0, 0, 1], [EMPTY, LEFT_OUT]),
        ([0, 0, 0], [0, 0, 1], ['the masks are nothing but background', EMPTY, LEFT_OUT]),
    ],
)
def test_doubtful_masks_are_named(tmp_path, mask, truth, doubts):
    run = tmp_path / 'run'
    save_mask(run / 'masks' / 'a.png', np.array([mask], np.uint8))
    if truth is not None:
        save_mask(tmp_path / 'gt' / 'a.png', np.array([truth], np.uint8))
    write_record(run / 'masks', make_record('masks', ['background', 'cat', 'dog'], ids='a'))
    options = ReportOptions(ground_truth=tmp_path / 'gt' if truth else None, images=0)
    path, report = write_run_report(run, options=options)
    assert report.warnings == [('masks', doubt) for doubt in doubts]
    assert all(doubt in path.read_text() for doubt in doubts)
