import ast
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import mmwsss
from mmwsss.compat import REQUIREMENTS, check_dependencies, parse_version

PACKAGE = Path(mmwsss.__file__).parent


@pytest.mark.parametrize(
    ('text', 'version'),
    [('2.13.0+cpu', (2, 13, 0)), ('1.2rc1', (1, 2)), ('0.10.12', (0, 10, 12)), ('', ())],
)
def test_versions_compare_as_numbers(text, version):
    assert parse_version(text) == version


def test_all_problems_come_in_one_message(monkeypatch):
    old = types.ModuleType('an_old_module')
    old.__version__ = '0.9.1'
    monkeypatch.setitem(sys.modules, 'an_old_module', old)
    wanted = (
        ('no_such_module', '1.0', 'pip install no-such-module'),
        ('an_old_module', '0.10', 'pip install an-old-module'),
        ('json', '', 'part of Python'),
    )
    with pytest.raises(ImportError) as caught:
        check_dependencies(wanted)
    message = str(caught.value)
    assert 'no_such_module: cannot be imported' in message
    assert 'an_old_module: needs >= 0.10, found 0.9.1; pip install an-old-module' in message
    assert 'json' not in message


def test_importing_says_nothing_and_registers_everything():
    code = (
        'import sys, mmwsss; from mmseg.registry import MODELS, DATASETS; '
        "sys.exit(not ('SIPEHead' in MODELS and 'VOC12WSSSDataset' in DATASETS))"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert result.stdout == ''
    assert 'Fail to import' not in result.stderr


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield ('mmwsss.' if node.level else '') + (node.module or '')


FUNCTIONAL = sorted((PACKAGE / 'functional').glob('*.py'))


@pytest.mark.parametrize('path', FUNCTIONAL, ids=lambda path: path.stem)
def test_functional_imports_only_itself_and_the_array_libraries(path):
    allowed = {'torch', 'numpy', 'scipy', 'cv2', 'sklearn', 'PIL', 'pycocotools', 'pydensecrf'}
    for name in imports_of(path):
        top = name.split('.')[0]
        if top == 'mmwsss':
            inside = name.startswith(('mmwsss.functional', 'mmwsss.utils.packages'))
            assert inside, f'{path.name} imports {name}'
        else:
            assert top in allowed | sys.stdlib_module_names, f'{path.name} imports {name}'


def test_there_are_functional_modules():
    assert len(FUNCTIONAL) > 5


@pytest.mark.parametrize(
    'path', sorted(PACKAGE.rglob('*.py')), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_no_distribution_is_asked_for_by_name_and_nothing_is_unpickled(path):
    text = path.read_text(encoding='utf-8')
    assert 'importlib.metadata' not in text
    assert 'pkg_resources' not in text
    assert 'allow_pickle=True' not in text
    assert 'pickle.load' not in text


def test_what_is_checked_at_import_is_what_setup_py_asks_for():
    text = (PACKAGE.parent / 'setup.py').read_text(encoding='utf-8')
    asked = dict(re.findall(r"'([\w-]+)>=([\d.]+)'", text))
    (minimum,) = (minimum for module, minimum, _ in REQUIREMENTS if module == 'torch')
    wanted = parse_version(asked['torch'])
    assert parse_version(minimum)[: len(wanted)] == wanted


def test_slow_libraries_are_imported_where_they_are_used():
    slow = ('sklearn', 'matplotlib.figure', 'pycocotools', 'jinja2')
    code = f'import mmwsss, sys; print([name for name in {slow} if name in sys.modules])'
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == '[]'
