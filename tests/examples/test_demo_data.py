from __future__ import annotations

import csv
import dataclasses
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo_data import DemoSettings, make_demo_data, render_item
from demo_data.scenes import BACKGROUNDS, BODY, CLASSES, PART, _rim_of
from mmwsss.io.mask_io import load_mask

TINY = {'train': 6, 'val': 4, 'min_size': 48, 'max_size': 64}
FOLDERS = ('SegmentationClass', 'SegmentationObject', 'SegmentationPart')


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob('*') if p.is_file()}


@pytest.fixture(scope='module')
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('demo')
    make_demo_data(root, **TINY)
    return root


@pytest.fixture(scope='module')
def items() -> list:
    return [render_item(DemoSettings(), 'train', index) for index in range(40)]


def test_files_of_the_layout(tiny: Path) -> None:
    train = (tiny / 'ImageSets/Segmentation/train.txt').read_text().splitlines()
    val = (tiny / 'ImageSets/Segmentation/val.txt').read_text().splitlines()
    assert train == [f'train_{i:04d}' for i in range(6)]
    assert val == [f'val_{i:04d}' for i in range(4)]
    assert (tiny / 'classes.txt').read_text().splitlines() == list(CLASSES)
    assert sorted(p.stem for p in (tiny / 'JPEGImages').iterdir()) == sorted(train + val)
    for folder in FOLDERS:
        assert sorted(p.stem for p in (tiny / folder).iterdir()) == sorted(train + val)
    assert not [p for p in tiny.rglob('*') if p.name.startswith('.')]


def test_image_labels_are_those_of_the_masks(tiny: Path) -> None:
    with (tiny / 'labels.csv').open(newline='') as file:
        header, *rows = csv.reader(file)
    assert header == ['id', 'class names']
    assert len(rows) == 10
    for image_id, names in rows:
        mask = load_mask(tiny / 'SegmentationClass' / f'{image_id}.png', num_classes=6)
        present = [CLASSES[k - 1] for k in np.unique(mask) if k not in (0, 255)]
        assert names.split(';') == present
        assert present


def test_maps_agree_with_each_other_and_with_the_image(tiny: Path) -> None:
    for path in sorted((tiny / 'JPEGImages').iterdir()):
        with Image.open(path) as image:
            assert image.mode == 'RGB'
            size = image.size[::-1]
        labels, instances, parts = (load_mask(tiny / f / f'{path.stem}.png') for f in FOLDERS)
        assert labels.shape == instances.shape == parts.shape == size
        assert ((labels == 255) == (instances == 255)).all()
        assert ((labels == 255) == (parts == 255)).all()
        assert ((labels > 0) == (instances > 0)).all()
        assert ((labels > 0) == (parts > 0)).all()
        assert set(np.unique(parts)) <= {0, PART, BODY, 255}
        for number in set(np.unique(instances)) - {0, 255}:
            assert len(np.unique(labels[instances == number])) == 1
            assert set(np.unique(parts[instances == number])) == {PART, BODY}


def test_masks_carry_vocs_palette(tiny: Path) -> None:
    with Image.open(tiny / 'SegmentationClass/train_0000.png') as mask:
        assert mask.mode == 'P'
        assert mask.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]


def test_same_seed_gives_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    make_demo_data(tmp_path / 'again', **TINY)
    assert contents(tmp_path / 'again') == contents(tiny)


def test_other_seed_gives_other_images(tiny: Path, tmp_path: Path) -> None:
    make_demo_data(tmp_path, **TINY, seed=1)
    ours, theirs = contents(tmp_path), contents(tiny)
    assert all(ours[name] != theirs[name] for name in ours if name.startswith('JPEGImages'))


def test_images_do_not_depend_on_how_many_there_are(tiny: Path, tmp_path: Path) -> None:
    make_demo_data(tmp_path, **{**TINY, 'train': 2, 'val': 5})
    few, many = contents(tmp_path), contents(tiny)
    shared = [name for name in few if name in many and '_000' in name]
    assert len(shared) == 4 * (2 + 4)
    assert all(few[name] == many[name] for name in shared)


def test_global_random_state_is_left_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    render_item(DemoSettings(**TINY), 'val', 0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_finished_dataset_is_left_alone(tiny: Path) -> None:
    stamps = {p: p.stat().st_mtime_ns for p in tiny.rglob('*')}
    report = make_demo_data(tiny, **TINY)
    assert report.written == 0
    assert report.counts == json.loads((tiny / 'dataset.json').read_text())['counts']
    assert {p: p.stat().st_mtime_ns for p in tiny.rglob('*')} == stamps


def test_cut_run_is_completed(tiny: Path, tmp_path: Path) -> None:
    def cut(done: int, total: int) -> None:
        assert total == 10
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo_data(tmp_path, **TINY, on_image=cut)
    assert not json.loads((tmp_path / 'dataset.json').read_text())['complete']
    assert not (tmp_path / 'labels.csv').exists()
    assert make_demo_data(tmp_path, **TINY).written == 10
    assert contents(tmp_path) == contents(tiny)


def test_lost_file_is_made_again(tiny: Path, tmp_path: Path) -> None:
    make_demo_data(tmp_path, **TINY)
    (tmp_path / 'SegmentationPart/val_0002.png').unlink()
    assert make_demo_data(tmp_path, **TINY).written == 10
    assert contents(tmp_path) == contents(tiny)


def test_other_settings_are_refused_then_overwritten(tmp_path: Path) -> None:
    make_demo_data(tmp_path, **TINY)
    fewer = {**TINY, 'train': 3}
    with pytest.raises(ValueError, match=r'other settings \(train is 6, wanted 3\)'):
        make_demo_data(tmp_path, **fewer)
    assert (tmp_path / 'JPEGImages/train_0005.jpg').exists()
    make_demo_data(tmp_path, **fewer, overwrite=True)
    assert len(list((tmp_path / 'JPEGImages').iterdir())) == 7
    assert not (tmp_path / 'JPEGImages/train_0005.jpg').exists()


@pytest.mark.parametrize('overwrite', [False, True])
def test_foreign_folder_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(ValueError, match=r'not empty and has no dataset\.json'):
        make_demo_data(tmp_path, **TINY, overwrite=overwrite)
    assert contents(tmp_path) == {'notes.txt': b'mine'}


@pytest.mark.parametrize('text', ['{', '[]', '{"format": "other", "settings": {}}'])
def test_foreign_description_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / 'dataset.json').write_text(text)
    with pytest.raises(ValueError, match=r'dataset\.json'):
        make_demo_data(tmp_path, **TINY, overwrite=True)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'train': -1}, 'train must be at least 0, but got -1'),
        ({'seed': -2}, 'seed must be at least 0'),
        ({'min_size': 31}, 'min_size=31'),
        ({'min_size': 80, 'max_size': 79}, 'max_size=79'),
        ({'quality': 96}, r'quality must lie in \[1, 95\], but got 96'),
    ],
)
def test_settings_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DemoSettings(**wrong)


def test_render_item_checks_split_and_index() -> None:
    with pytest.raises(ValueError, match="'test'"):
        render_item(DemoSettings(), 'test', 0)
    with pytest.raises(ValueError, match='got -1'):
        render_item(DemoSettings(), 'val', -1)


def test_splits_share_no_image() -> None:
    train = render_item(DemoSettings(**TINY), 'train', 0)
    val = render_item(DemoSettings(**TINY), 'val', 0)
    assert train.image.shape != val.image.shape or (train.image != val.image).any()


def test_sizes_vary_and_are_odd_and_even(items: list) -> None:
    heights = {item.image.shape[0] for item in items}
    widths = {item.image.shape[1] for item in items}
    for lengths in (heights, widths):
        assert min(lengths) >= 128
        assert max(lengths) <= 160
        assert {n % 2 for n in lengths} == {0, 1}


def test_what_the_pictures_hold(items: list) -> None:
    objects = [len(set(np.unique(item.instances)) - {0, 255}) for item in items]
    classes = [len(item.class_ids) for item in items]
    assert set(objects) == {1, 2, 3, 4}
    assert set(classes) == {1, 2, 3}
    assert {k for item in items[:5] for k in item.class_ids} == {1, 2, 3, 4, 5}
    assert {item.background for item in items} == set(BACKGROUNDS)
    background = np.mean([(item.labels == 0).mean() for item in items])
    assert 0.6 < background < 0.85


def test_size_groups(items: list) -> None:
    areas = np.array(
        [
            (item.instances == number).sum()
            for item in items
            for number in set(np.unique(item.instances)) - {0, 255}
        ]
    )
    assert (areas < 32**2).mean() > 0.2
    assert ((areas >= 32**2) & (areas < 96**2)).mean() > 0.4
    assert (areas >= 96**2).any()


def test_part_is_a_fifth_of_every_class(items: list) -> None:
    for class_id in range(1, 6):
        part = sum(((item.labels == class_id) & (item.parts == PART)).sum() for item in items)
        whole = sum((item.labels == class_id).sum() for item in items)
        assert 0.15 < part / whole < 0.25, CLASSES[class_id - 1]


def test_parts_are_colourful_and_bodies_are_not(items: list) -> None:
    def saturation(value: int) -> float:
        pixels = [item.image[item.parts == value].astype(float) for item in items]
        pixels = np.concatenate(pixels)
        return float((pixels.max(axis=1) - pixels.min(axis=1)).mean())

    assert saturation(PART) > 2.5 * saturation(BODY)


def test_body_colours_are_shared_between_classes(items: list) -> None:
    means = np.stack(
        [
            np.mean(
                [
                    item.image[(item.labels == k) & (item.parts == BODY)].mean(axis=0)
                    for item in items
                    if ((item.labels == k) & (item.parts == BODY)).any()
                ],
                axis=0,
            )
            for k in range(1, 6)
        ]
    )
    assert (means.max(axis=0) - means.min(axis=0) < 45).all()


def test_habitat_is_frequent_but_not_certain() -> None:
    settings = DemoSettings(**TINY)
    kites = [render_item(settings, 'train', 5 * i + 1).background for i in range(40)]
    others = [render_item(settings, 'train', 5 * i).background for i in range(40)]
    assert 0.6 < kites.count('sky') / 40 < 0.95
    assert others.count('sky') / 40 < 0.4


def test_rim_lies_behind_objects() -> None:
    instances = np.zeros((5, 7), np.uint8)
    instances[2, 2:4] = 1
    instances[2, 4] = 2
    expected = np.array(
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 0, 1, 1, 1, 0, 0],
            [0, 1, 0, 1, 0, 1, 0],
            [0, 0, 1, 1, 1, 0, 0],
            [0, 0, 0, 0, 0, 0, 0],
        ],
        bool,
    )
    assert (_rim_of(instances, 1) == expected).all()
    assert not _rim_of(instances, 0).any()


def test_border_is_optional_and_only_hides() -> None:
    with_rim = render_item(DemoSettings(), 'train', 3)
    without = render_item(dataclasses.replace(DemoSettings(), border=0), 'train', 3)
    assert (with_rim.image == without.image).all()
    assert not (without.labels == 255).any()
    shown = with_rim.labels != 255
    assert (~shown).any()
    assert (with_rim.labels[shown] == without.labels[shown]).all()


def test_make_demo_data_runs_twice_and_refuses_other_settings(tmp_path: Path, capsys) -> None:
    tool = Path(__file__).parents[2] / 'tools/dataset_converters/make_demo_data.py'
    main = runpy.run_path(str(tool))['main']
    args = ['--out', str(tmp_path), '--train', '2', '--val', '1']
    args += ['--min-size', '48', '--max-size', '64']
    assert main(args) == 0
    assert 'train: 2 images' in capsys.readouterr().out
    assert main(args) == 0
    assert 'complete, nothing to do' in capsys.readouterr().out
    assert main([*args, '--seed', '4']) == 2
    assert 'seed is 0, wanted 4' in capsys.readouterr().err
    assert main([*args, '--seed', '4', '--overwrite']) == 0
