"""The documentation site: it builds without warnings, and its API pages leave no public name out."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mmwsss

pytest.importorskip('material')  # the site is built with the tested versions only

ROOT = Path(__file__).resolve().parents[2]


def public_names():
    """Full names of the classes and functions that the modules of the packages offer."""
    for info in pkgutil.walk_packages(mmwsss.__path__, 'mmwsss.'):
        if info.ispkg or info.name.count('.') == 1:
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, '__all__', ()):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f'{value.__module__}.{value.__qualname__}', f'{info.name}.{name}'


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_public_name_is_on_an_api_page(site):
    text = ''.join(page.read_text(encoding='utf-8') for page in (site / 'api').glob('*.html'))
    shown = set(re.findall(r'id="(mmwsss\.[\w.]+)"', text))
    names = list(public_names())
    assert len(names) > 200
    missing = [full for full, name in names if not {full, name} & shown]
    assert not missing, f'not on any page of docs/api: {missing}'


def test_pages_need_no_network_and_hold_formulas(site):
    pages = {page.name: page.read_text(encoding='utf-8') for page in site.rglob('*.html')}
    loaded = re.compile(
        r'<(?:script|img)[^>]* src="https?:|<link[^>]* rel="(?:stylesheet|preconnect)"[^>]*https?:'
    )
    assert not [name for name, text in pages.items() if loaded.search(text)]
    assert not [name for name, text in pages.items() if 'class="arithmatex"' in text]
    assert pages['sipe.html'].count('<math') > 5
