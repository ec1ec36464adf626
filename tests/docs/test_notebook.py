"""The notebook runs from its first cell to its last, on generated data and untrained weights."""

from __future__ import annotations

import ast
import json

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from PIL import Image

from mmwsss.utils.config import load_config
from tests.docs.pages import ROOT

NOTEBOOK = ROOT / 'docs' / 'python.ipynb'
CONFIG = 'configs/sipe/sipe_tiny_demo.py'


def code_cells():
    content = json.loads(NOTEBOOK.read_text(encoding='utf-8'))
    assert (content['nbformat'], content['nbformat_minor']) == (4, 5)
    assert len({cell['id'] for cell in content['cells']}) == len(content['cells'])
    return [''.join(c['source']) for c in content['cells'] if c['cell_type'] == 'code']


def run_cell(source, namespace):
    """Run a cell and return the value of its last line, as Jupyter shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), 'exec'), namespace)  # noqa: S102
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), 'eval'), namespace)  # noqa: S307


@pytest.fixture
def finished_demo(demo_root, tmp_path, monkeypatch):
    """A folder that looks as after `make demo`, and one beside it where Jupyter starts."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'demo').symlink_to(demo_root)
    folder = tmp_path / 'work_dirs' / 'demo' / 'localizer'
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    model = MODELS.build(load_config(ROOT / CONFIG).model)
    torch.save({'state_dict': model.state_dict()}, folder / 'iter_600.pth')
    (tmp_path / 'docs').mkdir()
    monkeypatch.chdir(tmp_path / 'docs')
    return tmp_path


def test_the_notebook_runs(finished_demo, capsys):
    namespace = {}
    shown = [run_cell(source, namespace) for source in code_cells()]
    (picture,) = [value for value in shown if value is not None]
    assert isinstance(picture, Image.Image)
    assert picture.width > 3 * picture.height
    maps, mask = namespace['maps'], namespace['mask']
    assert maps.keys.tolist() == [0, 1, 3]
    assert mask.shape == namespace['smooth'].shape == maps.image_size
    assert set(np.unique(mask)) <= {0, 1, 3}
    assert len(namespace['found']) == 4
    assert 0 <= namespace['scores']['IA-mIoU'] <= 1
    assert 'IA-mIoU of 4 images' in capsys.readouterr().out
