"""The base configs of datasets build, with the folders they describe."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmseg.registry import DATASETS

from tests.datasets.tiny import make_tiny

FOLDER = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
SHARED = ('localizer', 'segmenter')  # what the others inherit from
FILES = sorted(path for path in FOLDER.glob('*.py') if path.stem not in SHARED)
LOCALIZERS = [path for path in FILES if path.stem.endswith('_cls')]
SEGMENTERS = [path for path in FILES if path.stem.endswith('_seg')]


def test_all_files_are_of_either_kind():
    assert len(LOCALIZERS) >= 5
    assert len(SEGMENTERS) >= 4
    assert len(LOCALIZERS) + len(SEGMENTERS) == len(FILES)


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_keys_that_tools_read(path):
    config = Config.fromfile(path)
    assert config.data_root.startswith('data/')
    loaders = [config.train_dataloader, config.val_dataloader, config.test_dataloader]
    for loader in loaders:
        assert loader.dataset.data_root == config.data_root
        Compose(loader.dataset.pipeline)
    if path in SEGMENTERS:
        assert config.pseudo_mask_dir is None
        assert config.train_dataloader.dataset.pseudo_mask_dir is None
        assert 'pseudo_mask_dir' not in config.val_dataloader.dataset
        assert config.val_evaluator.type == 'MeanIoUMetric'
    else:
        assert config.map_dataset.check_files == 'lazy'
        assert config.map_dataset.ann_file == config.train_dataloader.dataset.ann_file
        assert [step.type for step in config.map_dataset.pipeline] == [
            'LoadImage',
            'PackWSSSInputs',
        ]
        assert config.val_evaluator[0].type == 'MultiLabelMetric'


@pytest.mark.parametrize('path', LOCALIZERS, ids=lambda path: path.stem)
def test_training_of_localizers_reads_no_masks(path):
    config = Config.fromfile(path)
    for dataset in (config.train_dataloader.dataset, config.map_dataset):
        assert 'seg_map_path' not in dataset.data_prefix


@pytest.mark.parametrize('name', ['voc12aug', 'coco14', 'vocmini', 'voc12part'])
def test_flip_comes_before_the_crop_whose_size_is_the_crop_size(name):
    config = Config.fromfile(FOLDER / f'{name}_cls.py')
    steps = [step.type for step in config.train_pipeline]
    assert steps.index('RandomFlip') < steps.index('PaddedRandomCrop')
    assert config.train_pipeline[steps.index('PaddedRandomCrop')].crop_size == config.crop_size


@pytest.fixture
def voc_layout(tmp_path):
    """The tiny dataset of the dataset tests under the names that demo and custom configs use."""
    root = make_tiny(tmp_path)
    (root / 'JPEGImages').symlink_to(root / 'images')
    (root / 'SegmentationClass').symlink_to(root / 'masks')
    (root / 'ImageSets').mkdir()
    (root / 'ImageSets/Segmentation').symlink_to(root / 'lists')
    (root / 'lists/val.txt').write_text('first\n')
    (root / 'train.txt').write_text('first\nsecond\n')
    (root / 'labels.csv').write_text('id,class names\nfirst,cat\nsecond,cat;dog\n')
    return root


@pytest.mark.parametrize('name', ['demo_cls', 'demo_seg', 'custom_cls'])
def test_items_of_small_datasets(name, voc_layout):
    config = Config.fromfile(FOLDER / f'{name}.py')
    settings = [config.train_dataloader.dataset, config.val_dataloader.dataset]
    for dataset in [*settings, *([config.map_dataset] if 'map_dataset' in config else [])]:
        dataset.data_root = str(voc_layout)
        sample = DATASETS.build(dataset)[0]['data_samples']
        assert sample.img_id == 'first'
        assert ('gt_label' in sample) == name.endswith('_cls')
