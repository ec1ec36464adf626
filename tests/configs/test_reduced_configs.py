"""`fraction` trains a localizer on a part of the images and changes nothing else."""

from pathlib import Path

import pytest

from mmwsss.utils.config import load_config

CONFIGS = Path(__file__).parents[2] / 'configs'


def innermost(dataset):
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


@pytest.mark.parametrize('method', ['cam', 'sipe', 'rpnet'])
@pytest.mark.parametrize('data', ['r50_voc', 'r50_coco14', 'mobilenetv2_vocmini', 'tiny_demo'])
def test_only_the_training_images_differ(method, data):
    path = CONFIGS / method / f'{method}_{data}.py'
    whole, part = load_config(path), load_config(path, {'fraction': '1/4'})
    assert part.pop('fraction') == '1/4'
    assert innermost(part.train_dataloader.dataset).pop('fraction') == '1/4'
    assert whole.pop('fraction') is None
    assert innermost(whole.train_dataloader.dataset).pop('fraction') is None
    assert part.to_dict() == whole.to_dict()


def test_a_config_without_labels_refuses_it():
    with pytest.raises(ValueError, match=r"nothing in .* takes its 'fraction'"):
        load_config(CONFIGS / 'deeplabv2/deeplabv2_r101_voc_pseudo.py', {'fraction': 0.5})
