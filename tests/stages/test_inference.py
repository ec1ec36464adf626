from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from mmwsss.apis import (
    class_maps,
    find_images,
    load_localizer,
    load_model,
    refine_maps,
    segment_images,
)
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import ClassMaps
from mmwsss.refine import RefinerChain
from mmwsss.stages.maps import compute_class_maps
from mmwsss.stages.show import show_images

IDS = ['train_0000', 'train_0001']


@pytest.fixture
def localizer(tiny_cam):
    cfg, checkpoint = tiny_cam
    return load_localizer(cfg, checkpoint, device='cpu')


def image_path(root, name):
    return root / 'JPEGImages' / f'{name}.jpg'


@pytest.mark.parametrize('long_side', [None, 40])
def test_maps_of_a_file_are_those_of_make_maps(localizer, demo_root, long_side):
    if long_side:
        resize = dict(type='RandomResizeLongSide', min_size=long_side, max_size=long_side)
        localizer.cfg.map_dataset.pipeline.insert(1, resize)
    dataset = DATASETS.build(localizer.cfg.map_dataset)
    for position, name in enumerate(IDS):
        expected = compute_class_maps(localizer, dataset[position])
        classes = localizer.dataset_meta['classes']
        labels = [classes[i] for i in dataset.get_data_info(position)['img_label']]
        for source in (image_path(demo_root, name), load_rgb(image_path(demo_root, name))):
            found = class_maps(localizer, source, labels[::-1])
            assert found.keys.tolist() == expected.keys.tolist()
            np.testing.assert_array_equal(found.scores, expected.scores)
            assert found.image_size == expected.image_size


def test_without_labels_the_localizer_decides(localizer, demo_root):
    image = load_rgb(image_path(demo_root, IDS[0]))
    localizer.test_cfg['score_threshold'] = 1.0
    (key,) = class_maps(localizer.train(), image).keys
    assert not localizer.training
    tensor = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)
    batch = localizer.data_preprocessor({'inputs': [tensor], 'data_samples': None})
    scores = localizer(batch['inputs'])
    assert key == scores.argmax() + 1


def test_classes_come_from_the_checkpoint_or_the_dataset(tiny_cam, localizer, demo_root):
    names = ['background', *(demo_root / 'classes.txt').read_text().split()]
    assert list(localizer.dataset_meta['classes']) == names
    cfg, checkpoint = tiny_cam
    content = torch.load(checkpoint, weights_only=True)
    content['meta'] = {'dataset_meta': {'classes': ['background', *'abcde']}}
    torch.save(content, checkpoint)
    found = load_localizer(cfg, checkpoint, device='cpu').dataset_meta
    assert found['classes'] == ['background', *'abcde']
    assert len(found['palette']) == 6
    content['meta'] = {'dataset_meta': {'classes': ['background', *'abcd']}}
    torch.save(content, checkpoint)
    message = (
        r'the model tells 6 classes apart, but its list of classes has 5: background, a, b, c, d'
    )
    with pytest.raises(ValueError, match=message):
        load_localizer(cfg, checkpoint, device='cpu')
    content['meta'] = {}
    torch.save(content, checkpoint)
    for place in ('map_dataset', 'val_dataloader', 'train_dataloader'):
        cfg.pop(place)
    found = load_localizer(cfg, checkpoint, device='cpu').dataset_meta
    assert found['classes'][:2] == ['background', 'class 1']


def test_a_folder_is_segmented_by_the_configs_refiners(localizer, demo_root, tmp_path):
    folder = tmp_path / 'images'
    (folder / 'sub').mkdir(parents=True)
    shutil.copy(image_path(demo_root, IDS[0]), folder / 'b.jpg')
    shutil.copy(image_path(demo_root, IDS[1]), folder / 'sub' / 'a.JPG')
    (folder / 'notes.txt').write_text('no image')
    found = list(segment_images(localizer, folder, labels=['kite']))
    assert [one.name for one in found] == ['b', 'sub/a']
    for one in found:
        expected = one.maps.full_size_scores()[0] > 0.3  # the threshold of the config
        np.testing.assert_array_equal(one.mask == one.maps.keys[0], expected)
        assert one.mask.shape == one.image.shape[:2]
    single = next(segment_images(localizer, str(folder / 'b.jpg'), ['kite'], refiners=[
        dict(type='BackgroundThreshold', threshold=1.0)
    ]))  # fmt: skip
    assert not single.mask.any()
    array = next(segment_images(localizer, [found[0].image], ['kite']))
    assert array.name == 'image_0'
    np.testing.assert_array_equal(array.mask, found[0].mask)
    (alone,) = segment_images(localizer, found[0].image, ['kite'])
    np.testing.assert_array_equal(alone.mask, found[0].mask)


def test_refine_maps_is_the_chain():
    maps = ClassMaps(np.array([3]), np.array([[[0.2, 0.6]]]), (1, 2))
    assert refine_maps(maps, [dict(type='BackgroundThreshold', threshold=0.4)]).tolist() == [[0, 3]]
    with pytest.raises(ValueError, match='no background map'):
        refine_maps(maps)
    with pytest.raises(ValueError, match=r'^image must be RGB uint8 \(1, 2, 3\), but got None'):
        refine_maps(maps, [dict(type='BackgroundThreshold', threshold=0.4), dict(type='DenseCRF')])


def test_a_config_without_a_model_is_no_model(tmp_path):
    (tmp_path / 'c.py').write_text('seed = 1\n')
    for cfg, where in ((tmp_path / 'c.py', r'.*c\.py'), (Config({'a': 1}), 'the config')):
        with pytest.raises(ValueError, match=f'^{where} has no model: take the config of'):
            load_model(cfg, 'none.pth')


def test_wrong_input_is_named(localizer, tmp_path):
    image = np.zeros((40, 48, 3), np.uint8)
    with pytest.raises(ValueError, match="labels: class 'dog' is unknown; valid names are lantern"):
        class_maps(localizer, image, ['dog'])
    with pytest.raises(
        ValueError, match=r"labels must be a list of class names, but got .* 'kite'"
    ):
        class_maps(localizer, image, 'kite')
    with pytest.raises(ValueError, match='RGB uint8'):
        class_maps(localizer, image.astype(float))
    with pytest.raises(TypeError, match=r'image must be a path or a NumPy array, but got a Image'):
        next(segment_images(localizer, [Image.fromarray(image)]))
    with pytest.raises(TypeError, match='class maps are of a localizer, but got a Conv2d'):
        class_maps(torch.nn.Conv2d(3, 4, 1), image)
    with pytest.raises(TypeError, match='refiners must be a list, but got one alone'):
        refine_maps(ClassMaps(np.array([0]), np.ones((1, 1, 2)), (1, 2)), dict(type='DenseCRF'))
    with pytest.raises(FileNotFoundError, match='not found'):
        find_images(tmp_path / 'nothing')
    with pytest.raises(FileNotFoundError, match='holds no image'):
        find_images(tmp_path)


def test_show_writes_pictures_and_names_what_failed(localizer, demo_root, tmp_path):
    (tmp_path / 'bad.jpg').write_bytes(b'no image')
    images = [*find_images(image_path(demo_root, IDS[0])), ('bad', tmp_path / 'bad.jpg')]
    report = show_images(localizer, images, tmp_path / 'out', ['kite', 'teapot'])
    assert report.done == [IDS[0]]
    assert list(report.failed) == ['bad']
    with Image.open(tmp_path / 'out' / f'{IDS[0]}.png') as picture:
        assert picture.width > 3 * picture.height  # image, two maps, mask
    with pytest.raises(ValueError, match='several images'):
        show_images(localizer, [images[0], (images[0][0], images[1][1])], tmp_path / 'out')
    with pytest.raises(ValueError, match="class 'dog' is unknown"):
        show_images(localizer, images, tmp_path / 'out', ['dog'])


def test_show_refines_by_one_chain_under_full_names(localizer, demo_root, tmp_path, monkeypatch):
    built, asked = [], []

    class Chain(RefinerChain):
        def __init__(self, refiners, *arguments):
            built.append(refiners)
            super().__init__(refiners, *arguments)

        def __call__(self, maps, image, image_id):
            asked.append(image_id)
            return super().__call__(maps, image, image_id)

    monkeypatch.setattr('mmwsss.stages.masks.RefinerChain', Chain)
    path = image_path(demo_root, IDS[0])
    show_images(localizer, [('a/x', path), ('b/x', path)], tmp_path / 'out', ['kite'])
    assert asked == ['a/x', 'b/x']  # by which refiners find files of the image
    assert len(built) == 1


def test_a_segmenter_in_training_mode_predicts_as_in_evaluation(tiny_segmenter, demo_root):
    cfg, checkpoint = tiny_segmenter
    model = load_model(cfg, checkpoint, 'cpu')
    path = image_path(demo_root, IDS[0])
    first = next(segment_images(model, path)).mask
    model.train()
    model.decode_head.dropout = torch.nn.Dropout2d(0.9)
    np.testing.assert_array_equal(next(segment_images(model, path)).mask, first)
    assert not model.training
