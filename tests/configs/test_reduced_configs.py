"""Configs that train on a part of the images differ from the whole one in nothing else."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs'
PARTS = sorted(CONFIGS.glob('*/*_1of*.py'))
SIZES = {
    'voc': ('data/voc_subsets/train_aug', 10582),
    'vocmini': ('data/voc_mini_subsets/train', 149),
}


def innermost(dataset):
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


def test_every_method_has_the_family():
    names = {path.stem for path in PARTS}
    for method in ('cam', 'sipe', 'rpnet'):
        assert {f'{method}_r50_voc_1of{n}' for n in (2, 4, 8, 16)} <= names
        assert {f'{method}_mobilenetv2_vocmini_1of{n}' for n in (4, 8)} <= names


@pytest.mark.parametrize('path', PARTS, ids=lambda path: path.stem)
def test_only_the_images_differ(path):
    name, part = re.fullmatch(r'(.+)_(1of\d+)', path.stem).groups()
    whole, found = Config.fromfile(path.with_name(f'{name}.py')), Config.fromfile(path)
    stem, size = SIZES[name.rpartition('_')[2]]
    loader = found.train_dataloader
    assert innermost(loader.dataset).pop('subset') == f'{stem}_{part}.txt'
    if not loader.sampler.get('infinite'):  # else the number of iterations is fixed already
        assert loader.sampler.pop('epoch_size') == size
    assert found.to_dict() == whole.to_dict()
