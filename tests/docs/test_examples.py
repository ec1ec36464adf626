"""The code of the documentation, run on toys."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmwsss.io import ClassMaps, load_mask
from mmwsss.pipeline import read_pipeline
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
    known = [(registry, set(registry.module_dict)) for registry in (MODELS, REFINERS)]
    with pytest.MonkeyPatch.context() as patch:
        for block in blocks(DOCS / 'add_a_method.md', 'python'):
            assert block.file, 'each block starts with the name of its file'
            if (ROOT / block.file).exists():
                pytest.skip(f'{block.file} has been written to its place')
            if block.file.startswith(('configs/', 'my_configs/')):
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


@pytest.fixture
def page_configs(method, tmp_path):
    """The configs of the page, written into one folder, by name."""
    texts = {file: text for file, text in method.items() if file.startswith('configs/')}
    return {Path(file).stem: config_folder(tmp_path, file, text) for file, text in texts.items()}


def test_config_of_the_page_trains_and_makes_masks(page_configs):
    cfg = load_config(page_configs['lse_tiny_demo'])
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
    assert set(np.unique(RefinerChain(cfg.mask_cfg.refiners)(maps))) <= {0, 1}
    with_specks = load_config(page_configs['lse_tiny_demo_specks'])
    labels = RefinerChain(with_specks.mask_cfg.refiners)(maps)
    assert [refiner.type for refiner in with_specks.mask_cfg.refiners][1:] == ['RemoveSpecks']
    assert set(np.unique(labels)) <= {0, 1, 255}


def test_config_of_a_package_of_ones_own(method, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'my_package.py').write_text('')
    path = tmp_path / 'my_configs' / 'lse_tiny_demo.py'
    path.parent.mkdir()
    # `mmwsss::` is for installations, see tests/test_packaging.py.
    text = method['my_configs/lse_tiny_demo.py'].replace('mmwsss::', f'{ROOT}/configs/')
    path.write_text(text)
    cfg = load_config(path)
    assert cfg.custom_imports.imports == ['mmwsss', 'my_package']
    assert (cfg.model.head.type, cfg.model.head.num_classes) == ('LSEHead', 5)


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


def test_pipeline_of_the_page_is_read(tmp_path, monkeypatch):
    (block, *_) = blocks(DOCS / 'pipelines.md', 'python')
    if (ROOT / block.file).exists():
        pytest.skip(f'{block.file} has been written to its place')
    text = block.text.replace('./cam_voc', '../pipelines/cam_voc')
    path = config_folder(tmp_path, 'configs/own/two.py', text)
    monkeypatch.chdir(ROOT)
    stages = {stage.name: stage for stage in read_pipeline(path).stages}
    assert stages['segmenter2'].options['pseudo_mask_dir'] == '{masks}'
    assert stages['segmenter2'].reads == ('masks',)
    assert stages['segmenter2_score'].reads == ('segmenter2',)


def test_segmenter_of_the_page_learns_and_predicts(tmp_path):
    (block,) = (block for block in blocks(DOCS / 'swap.md', 'python') if block.file)
    cfg = load_config(config_folder(tmp_path, block.file, block.text))
    model = MODELS.build(cfg.model)
    samples = [SegDataSample(metainfo=dict(ori_shape=(64, 64))) for _ in range(2)]
    for sample in samples:
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 6, (1, 64, 64)))
    batch = dict(inputs=[torch.zeros(3, 64, 64, dtype=torch.uint8)] * 2, data_samples=samples)
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    losses['decode.loss_ce'].backward()
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
    (crop,) = (t.crop_size for t in cfg.train_dataloader.dataset.pipeline if 'crop_size' in t)
    assert tuple(crop) == tuple(cfg.model.data_preprocessor.size)
