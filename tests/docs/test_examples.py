"""The code of the documentation, run on toys."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import METRICS, MODELS
from mmseg.structures import SegDataSample

from mmwsss.apis.pipeline import read_pipeline
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


def test_evaluator_of_the_page_is_built(page_configs):
    cfg = load_config(page_configs['deeplabv2_tiny_demo_recall'])
    assert [type(METRICS.build(metric)).__name__ for metric in cfg.test_evaluator] == [
        'IoUMetric',
        'ForegroundRecallMetric',
    ]


@pytest.mark.parametrize(
    ('package', 'count'), [('functional', 1), ('models/heads', 2), ('refine', 2)]
)
def test_export_lines_of_the_page_fit_the_package(package, count):
    """What surrounds each added line stands in ``__init__.py``, one below the other."""
    text = (ROOT / 'mmwsss' / package / '__init__.py').read_text(encoding='utf-8')
    kept = [
        ''.join(line[1:] for line in block.text.splitlines(keepends=True) if line[0] == ' ')
        for block in blocks(DOCS / 'add_a_method.md', 'diff')
    ]
    assert sum(lines in text for lines in kept) == count


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


def test_pipeline_of_the_page_is_read(tmp_path, monkeypatch):
    """Its config of a cleaned chain is the reader's to write."""
    monkeypatch.chdir(ROOT)
    (block, *_) = blocks(DOCS / 'pipelines.md', 'python')
    text = block.text.replace('./cam_voc', '../pipelines/cam_voc')
    path = config_folder(tmp_path, 'configs/own/cam_crf_voc.py', text)
    with pytest.raises(FileNotFoundError, match='cam_crf_custom'):
        read_pipeline(path)
    path.write_text(text.replace('cam_crf_custom', 'cam_r50_voc'))
    stages = {stage.name: stage for stage in read_pipeline(path).stages}
    assert stages['masks'].config == 'configs/cam/cam_r50_voc.py'
    assert stages['segmenter2_score'].reads == ('segmenter2',)


def test_python_of_the_pipelines_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    text = blocks(DOCS / 'pipelines.md', 'python')[-1].text.replace('work_dirs', str(tmp_path))
    exec(compile(text, 'pipelines.md', 'exec'), {})  # noqa: S102
    assert '\nmaps run localizer runs first\n' in capsys.readouterr().out
