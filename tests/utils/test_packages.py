"""Packages that find their modules: every name is there, and none comes from two modules."""

import importlib
import pkgutil
import sys

import pytest
from mmseg.registry import MODELS

import mmwsss
from mmwsss.utils.packages import export_modules

SCANNED = [
    info.name
    for info in pkgutil.walk_packages(mmwsss.__path__, 'mmwsss.')
    if info.ispkg and hasattr(importlib.import_module(info.name), 'export_modules')
]


@pytest.mark.parametrize('package', SCANNED)
def test_no_name_is_exported_by_two_modules(package):
    parent = importlib.import_module(package)
    for info in pkgutil.iter_modules(parent.__path__, f'{package}.'):
        module = importlib.import_module(info.name)
        for name in getattr(module, '__all__', ()):
            assert getattr(parent, name) is getattr(module, name), name
            assert name in parent.__all__


def test_a_new_file_is_registered_and_importable(tmp_path, monkeypatch):
    assert len(SCANNED) > 10
    package = tmp_path / 'scanned_heads'
    package.mkdir()
    (package / '__init__.py').write_text(
        'from mmwsss.utils.packages import export_modules\n__all__ = export_modules(__name__)\n'
    )
    (package / 'new_head.py').write_text(
        'from mmseg.registry import MODELS\n__all__ = ["NewHead"]\n'
        '@MODELS.register_module()\nclass NewHead: ...\ndef helper(): ...\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        heads = importlib.import_module('scanned_heads')
        assert heads.__all__ == export_modules('scanned_heads') == ['NewHead']
        assert MODELS.get('NewHead') is heads.NewHead
        assert not hasattr(heads, 'helper')
    finally:
        MODELS.module_dict.pop('NewHead', None)
        for name in ('scanned_heads', 'scanned_heads.new_head'):
            sys.modules.pop(name, None)
