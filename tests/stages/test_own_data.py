"""A new user's folder of images, with all that real folders hold, through the whole chain."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image

from mmwsss.datasets.converters import convert_folder
from mmwsss.io import find_ids, load_class_maps, load_mask, read_id_list, save_mask, voc_palette
from mmwsss.models import EfficientNetLite
from mmwsss.pipeline import StageError
from mmwsss.stages.image_list import Images, images_only
from mmwsss.utils.config import load_config
from tests.pipeline.pipelines import NO_WORKERS, ROOT, SMALL, pipeline

ACCENTED = 'Straße 7/größe é'
SIZES = {  # (height, width) as people see them
    'IMG 001': (40, 56),
    ACCENTED: (33, 47),
    'grey': (50, 31),
    'sixteen': (45, 64),
    'turned': (60, 38),
    'long': (7, 200),
    'one pixel wide': (90, 1),
    'alpha': (48, 48),
    'cmyk': (52, 40),
    'palette': (41, 43),
}
SUFFIXES = {'IMG 001': '.JPG', 'turned': '.jpeg', 'cmyk': '.jpg'}
WITH_MASK = ['sixteen', 'turned', ACCENTED, 'grey']


def picture(size, mode):
    values = np.random.default_rng(sum(size)).integers(0, 256, (*size, 3), np.uint8)
    if mode == 'I;16':
        return Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    image = Image.fromarray(values)
    return image.convert(mode)


def save_turned(path, size):
    """A JPEG stored on its side, as cameras do, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    stored = picture(size, 'RGB').transpose(Image.Transpose.ROTATE_90)
    assert stored.size == size  # PIL says (width, height)
    stored.save(path, exif=exif)


@pytest.fixture
def folder(tmp_path):
    """Images and names.csv in a folder with spaces."""
    root = tmp_path / 'my data, all'
    modes = {'grey': 'L', 'sixteen': 'I;16', 'alpha': 'RGBA', 'cmyk': 'CMYK', 'palette': 'P'}
    for name, size in SIZES.items():
        on_disk = unicodedata.normalize('NFD', name)  # as macOS writes it
        path = root / 'images' / f'{on_disk}{SUFFIXES.get(name, ".png")}'
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == 'turned':
            save_turned(path, size)
        else:
            picture(size, modes.get(name, 'RGB')).save(path)
    write_names(root, ['Katze', 'hund', 'two words'])
    return root


def write_names(root, classes):
    rows = ['image,class names']
    for i, name in enumerate(SIZES):
        shown = f'{name}{SUFFIXES[name]}' if name == 'IMG 001' else name
        label = '' if name == 'long' else ';'.join(classes[i % 3 :: 3])  # a negative
        rows.append(f'"{shown}",{label}')
    (root / 'names.csv').write_text('\n'.join(rows) + '\n', encoding='utf-8')


def add_masks(root):
    for name in WITH_MASK:
        labels = np.zeros(SIZES[name], np.uint8)
        labels[5:15, 5:15] = 1 + list(SIZES).index(name) % 3
        save_mask(root / 'masks' / f'{unicodedata.normalize("NFD", name)}.png', labels)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A stand-in for the package with the ImageNet weights."""
    path = tmp_path_factory.mktemp('weights') / 'lite2.pth'
    torch.save(EfficientNetLite(variant=2).state_dict(), path)
    return str(path)


def run(root, work_dir, weights, **options):
    shared = {**SMALL, 'pretrained': weights, 'default_hooks.checkpoint.interval': 3}
    small = {'localizer.model.test_cfg.scales': [0.5]}
    for side in ('min_size', 'max_size'):
        small[f'localizer.map_dataset.pipeline.1.{side}'] = 128
        small[f'segmenter.test_dataloader.dataset.pipeline.1.{side}'] = 128
    small.update({f'localizer.{key}': value for key, value in shared.items()})
    small.update({f'segmenter.{key}': value for key, value in {**shared, **NO_WORKERS}.items()})
    small.update(data_root=str(root), **options)
    made = pipeline(ROOT / 'configs' / 'pipelines' / 'custom_tiny.py', work_dir, small)
    return made, made.run()


def test_whatever_a_folder_holds(folder, tmp_path, weights):
    add_masks(folder)
    _, summary = run(folder, tmp_path / 'my work', weights)
    val = read_id_list(folder / 'val.txt')
    assert len(val) == 1
    assert unicodedata.normalize('NFC', val[0]) in WITH_MASK
    train = read_id_list(folder / 'train.txt')
    assert len(train) == 9
    for name in train:
        size = SIZES[unicodedata.normalize('NFC', name)]
        assert load_class_maps(tmp_path / 'my work' / 'maps' / f'{name}.npz').image_size == size
        assert load_mask(tmp_path / 'my work' / 'masks' / f'{name}.png', 4).shape == size
    images = {stage.name: s.protocol.images for stage in summary.stages for s in stage.scores}
    assert images == {'maps_score': 3, 'masks_score': 3, 'segmenter_score': 1}
    again, _ = run(folder, tmp_path / 'my work', weights)
    assert again.tools_run == []


def test_scribbles_train_a_segmenter(folder, tmp_path, weights):
    for i, (name, size) in enumerate(SIZES.items()):
        labels = np.full(size, 255, np.uint8)
        labels[2:4] = 0
        if name != 'long':
            labels[5] = 1 + i % 3
        on_disk = unicodedata.normalize('NFD', name)
        save_mask(folder / 'partial' / f'{on_disk}.png', labels)
    add_masks(folder)
    settings = {**SMALL, **NO_WORKERS, 'pretrained': weights}
    small = {f'segmenter.{key}': value for key, value in settings.items()}
    made = pipeline(
        ROOT / 'configs' / 'pipelines' / 'custom_partial.py',
        tmp_path / 'work',
        {
            'data_root': str(folder),
            'configs.segmenter': 'configs/custom/deeplabv2_lite2_custom_pseudo.py',
            **small,
        },
    )
    summary = made.run()
    assert [stage.name for stage in summary.stages if stage.scores] == ['segmenter_score']
    train = read_id_list(folder / 'train.txt')
    assert sorted(find_ids(tmp_path / 'work' / 'partial', ['.png'])) == sorted(train)
    assert all(stage.doubts == [] for stage in summary.stages)


def test_without_masks_there_is_no_score_and_all_images_train(folder, tmp_path, weights):
    made, summary = run(folder, tmp_path / 'work', weights)
    assert not any(stage.scores for stage in summary.stages)
    assert len(read_id_list(folder / 'train.txt')) == 10
    assert not (folder / 'val.txt').exists()
    skipped = {d.stage: d.reason for d in made.plan() if d.stage.endswith('_score')}
    assert set(skipped) == {'maps_score', 'masks_score', 'segmenter_score'}
    assert all(reason.startswith('nothing to do: there is no ') for reason in skipped.values())
    assert (tmp_path / 'work' / 'segmenter' / 'iter_3.pth').is_file()
    add_masks(folder)
    assert made.plan()[0].reason == 'a file that it reads has changed'


def test_three_hundred_classes(folder, tmp_path, weights):
    write_names(folder, [f'class {i:03d}' for i in range(300)])
    labels = np.zeros(SIZES['grey'], np.uint16)
    labels[3:9] = 301  # the last class: 255 means "ignore" and is no class
    labels[9:12] = 255
    save_mask(folder / 'masks' / 'grey.png', labels, voc_palette(302))
    options = {'masks.mask_cfg.refiners.0.threshold': 0.0, 'stages.data.args': [
        '{data_root}/images', '--labels', '{data_root}/names.csv', '--out', '{data_root}',
    ]}  # fmt: skip
    made, summary = run(folder, tmp_path / 'work', weights, **options)
    assert made.config(made.spec.stage('localizer')).model.head.num_classes == 301
    assert made.config(made.spec.stage('segmenter')).model.decode_head.num_classes == 302
    masks = [score for stage in summary.stages for score in stage.scores][-1]
    assert masks.what == 'masks'
    assert masks.per_class['class 299'] is not None
    found = {int(i) for name in read_id_list(folder / 'train.txt')
             for i in np.unique(load_mask(tmp_path / 'work' / 'masks' / f'{name}.png', 302))}  # fmt: skip
    assert max(found) > 255


def test_mistakes_are_named(folder, tmp_path, weights, capfd):
    (folder / 'images' / 'broken.png').write_bytes(b'x')
    with pytest.raises(StageError, match="stage 'data' failed with exit code 1"):
        run(folder, tmp_path / 'work', weights)
    assert 'broken: ' in capfd.readouterr().err
    (folder / 'images' / 'broken.png').unlink()
    with (folder / 'names.csv').open('a', encoding='utf-8') as file:
        file.write('grey.png,hund\n')
    with pytest.raises(StageError, match="stage 'data' failed with exit code 2"):
        run(folder, tmp_path / 'work', weights)
    assert "the id 'grey' is there already" in capfd.readouterr().err


def test_class_counts_follow_the_list(folder, tmp_path):
    (folder / 'classes.txt').write_text('a\nb\n')
    for name, count in (('sipe_r50', 2), ('cam_r50', 2), ('deeplabv2_r101', 3)):
        suffix = '_pseudo' if count == 3 else ''
        path = ROOT / 'configs' / 'custom' / f'{name}_custom{suffix}.py'
        model = load_config(path, {'data_root': str(folder)}).model
        assert (model.get('head') or model.get('decode_head')).num_classes == count
    with pytest.raises(FileNotFoundError, match='list of class names does not exist'):
        load_config(path, {'data_root': str(tmp_path / 'nothing')})


def test_photos_that_may_only_be_read_stay_where_they_are(folder, tmp_path):
    before, lists = sorted(folder.rglob('*')), tmp_path / 'lists'
    convert_folder(str(folder / 'images'), lists, str(folder / 'names.csv'))
    options = dict(data_root=str(lists), image_dir=str(folder / 'images'))
    for name in ('cam_lite2_custom', 'deeplabv2_lite2_custom_pseudo'):
        cfg = load_config(ROOT / 'configs' / 'custom' / f'{name}.py', options)
        train = images_only(cfg.train_dataloader.dataset)
        assert sorted(Images(train).paths) == sorted(read_id_list(lists / 'train.txt'))
        assert all(str(folder) in path for path in Images(train).paths.values())
    assert sorted(folder.rglob('*')) == before
