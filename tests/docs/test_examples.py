"""The code of the documentation, run on toys."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import torch
from mmseg.registry import DATASETS, METRICS, MODELS
from mmseg.structures import SegDataSample

from mmwsss.datasets.converters import convert_folder
from mmwsss.masks import ClassMaps, load_mask
from mmwsss.refine import RefinerChain
from mmwsss.registry import REFINERS
from mmwsss.utils.config import load_config
from tests.docs.pages import ROOT, blocks

DOCS = ROOT / 'docs'


def config_folder(tmp_path, name, text):
    """Write a config next to links of the repository's own, and return its path."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in (ROOT / 'configs').iterdir():
        link = tmp_path / 'configs' / folder.name
        if not link.exists():
            link.symlink_to(folder)
    path.write_text(text, encoding='utf-8')
    return path


@pytest.fixture(scope='module')
def method():
    """The modules of add_a_method.md, by file name; forgotten afterwards."""
    modules = {}
    known = [(registry, set(registry.module_dict)) for registry in (MODELS, METRICS, REFINERS)]
    with pytest.MonkeyPatch.context() as patch:
        for block in blocks(DOCS / 'add_a_method.md', 'python'):
            assert block.file, 'each block starts with the name of its file'
            assert not (ROOT / block.file).exists()
            if block.file.startswith('configs/'):
                modules[block.file] = block.text
                continue
            module = types.ModuleType(block.file[:-3].replace('/', '.'))
            patch.setitem(sys.modules, module.__name__, module)
            exec(compile(block.text, block.file, 'exec'), module.__dict__)  # noqa: S102
            modules[block.file] = module
        yield modules
    for registry, names in known:
        for name in set(registry.module_dict) - names:
            del registry.module_dict[name]


def test_tests_of_the_page_pass(method):
    tests = [
        test
        for file, module in method.items()
        if file.startswith('tests/')
        for name, test in vars(module).items()
        if name.startswith('test_')
    ]
    assert len(tests) == 4
    for test in tests:
        test()


def test_config_of_the_page_trains_and_makes_masks(method, tmp_path):
    (name,) = [file for file in method if file.startswith('configs/')]
    cfg = load_config(config_folder(tmp_path, name, method[name]))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    assert model.head.sharpness == 4.0
    samples = [SegDataSample(metainfo=dict(img_id=str(i), ori_shape=(40, 48))) for i in range(2)]
    for i, sample in enumerate(samples):
        sample.gt_label = torch.eye(5)[i]
    images = torch.randn(2, 3, 40, 48)
    model(images, samples, mode='loss')['loss_cls'].backward()
    assert model.head.classifier.weight.grad.abs().sum() > 0
    sample = model.eval().predict(images[:1], samples[:1])[0]
    assert sample.pred_map_keys.tolist() == [1]
    maps = ClassMaps(sample.pred_map_keys.numpy(), sample.pred_map_scores.numpy(), (40, 48))
    labels = RefinerChain(cfg.mask_cfg.refiners)(maps)
    assert set(np.unique(labels)) <= {0, 1, 255}


def test_mean_pooling_and_the_head_differ(method):
    head = MODELS.build(dict(type='LSEHead', num_classes=2, in_channels=3, sharpness=2.0))
    logits = torch.tensor([[[[0.0, 1.0]], [[3.0, 3.0]]]])
    expected = [np.log((1 + np.exp(2.0)) / 2) / 2, 3.0]
    np.testing.assert_allclose(head.class_logits({'cam_logits': logits})[0], expected, rtol=1e-6)


def test_files_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in blocks(DOCS / 'files.md', 'python'):
        exec(compile(block.text, 'files.md', 'exec'), namespace)  # noqa: S102
    assert namespace['maps'].keys.tolist() == [3]
    assert namespace['maps'].full_size_scores().shape == (1, 120, 160)
    labels = load_mask(tmp_path / 'masks' / 'a.png')
    assert set(np.unique(labels)) == {0, 3}
    np.testing.assert_array_equal(labels, namespace['labels'])


@pytest.fixture
def custom_data(demo_root, tmp_path):
    """A dataset as own_data.md has it after its step 2."""
    root = tmp_path / 'custom'
    root.mkdir()
    (root / 'images').symlink_to(demo_root / 'JPEGImages')
    (root / 'masks').symlink_to(demo_root / 'SegmentationClass')
    classes = (demo_root / 'classes.txt').read_text().split()
    convert_folder(
        str(root / 'images'),
        root,
        labels=str(demo_root / 'labels.csv'),
        classes=classes,
        val_fraction=0.25,
        progress=False,
    )
    return root


def test_own_data_localizer(custom_data, tmp_path):
    block = blocks(DOCS / 'own_data.md', 'python')[0]
    path = config_folder(tmp_path, 'configs/own/cam_r50_custom.py', block.text)
    cfg = load_config(
        path,
        {
            'data_root': str(custom_data),
            'train_cfg.max_epochs': 30,
            'param_scheduler.0.end': 30,
        },
    )
    assert cfg.model.head.num_classes == 2
    assert cfg.param_scheduler[0].end == cfg.train_cfg.max_epochs == 30
    sizes = [
        len(DATASETS.build(dataset))
        for dataset in (
            cfg.train_dataloader.dataset,
            cfg.map_dataset,
            cfg.val_dataloader.dataset,
            cfg.test_dataloader.dataset,
        )
    ]
    assert sizes == [9, 9, 3, 3]


def test_own_data_segmenter(custom_data, demo_root, tmp_path):
    _, train, val = (block.text for block in blocks(DOCS / 'own_data.md', 'python'))
    options = {
        'data_root': str(custom_data),
        'pseudo_mask_dir': str(demo_root / 'SegmentationClass'),
    }
    path = config_folder(tmp_path, 'configs/own/segmenter_custom.py', train)
    cfg = load_config(path, options)
    assert (cfg.val_cfg, cfg.test_cfg, cfg.model.decode_head.num_classes) == (None, None, 3)
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 9
    with_val = train.replace('val_cfg = None\ntest_cfg = None\n', '') + val
    path = config_folder(tmp_path, 'configs/own/segmenter_val_custom.py', with_val)
    cfg = load_config(path, options)
    assert cfg.val_cfg.type == 'ValLoop'
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    assert len(dataset) == 3
    assert dataset[0]['data_samples'].gt_sem_seg.shape == dataset[0]['inputs'].shape[1:]
