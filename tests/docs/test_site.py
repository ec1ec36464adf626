"""The documentation site: it builds without warnings, and its API pages leave no public name out."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import mmwsss

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / 'docs' / 'api').glob('*.md'))


def documented_modules():
    names = [n for page in PAGES for n in re.findall(r'^::: (\S+)$', page.read_text(), re.M)]
    assert names
    return {name: importlib.import_module(name) for name in names}


def exports(module):
    """What a module offers: the classes and functions of its ``__all__``."""
    found = {name: getattr(module, name) for name in getattr(module, '__all__', ())}
    return {name: value for name, value in found.items() if not inspect.ismodule(value)}


def public_modules():
    """Packages that export names, and the modules of packages that export none."""
    for info in pkgutil.walk_packages(mmwsss.__path__, 'mmwsss.'):
        module = importlib.import_module(info.name)
        package = importlib.import_module(info.name.rpartition('.')[0])
        if exports(module) and (info.ispkg or not exports(package)):
            yield module


def test_every_public_name_is_on_an_api_page():
    documented = documented_modules()
    shown = {id(value) for module in documented.values() for value in exports(module).values()}
    modules = list(public_modules())
    assert len(modules) > 20
    missing = {
        module.__name__: names
        for module in modules
        if (names := [name for name, value in exports(module).items() if id(value) not in shown])
    }
    assert not missing, f'not on any page of docs/api: {missing}'


def test_every_page_is_built_without_a_warning(tmp_path):
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', tmp_path / 'site']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / 'site' / 'api' / 'functional.html').read_text(encoding='utf-8')
    assert 'mmwsss.functional.cam.peak_normalize' in page
