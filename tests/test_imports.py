"""What may import what: downwards only, in no circle, and nothing that setup.py does not declare.

Imports inside functions and under ``TYPE_CHECKING`` count like all others.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Floor of each package, the longest name that fits; a module may import from its own floor and below.
FLOORS = {
    'mmwsss': 6,
    'mmwsss.__main__': 6,
    'mmwsss.version': 0,
    'mmwsss.compat': 0,
    'mmwsss.registry': 0,
    'mmwsss.functional': 0,
    'mmwsss.io': 0,
    'mmwsss.utils': 0,
    'mmwsss.models': 1,
    'mmwsss.datasets': 1,
    'mmwsss.evaluation': 1,
    'mmwsss.refine': 1,
    'mmwsss.engine': 2,
    'mmwsss.stages': 3,
    'mmwsss.pipeline': 4,
    'mmwsss.report': 4,
    'mmwsss.apis': 5,
    'mmwsss.visualization': 1,
}
# Distribution -> module, where the names differ.
MODULES = {
    'pillow': 'PIL',
    'scikit-image': 'skimage',
    'scikit-learn': 'sklearn',
    'pydensecrf2': 'pydensecrf',
    'onedl-mmengine': 'mmengine',
    'onedl-mmcv': 'mmcv',
    'onedl-mmsegmentation': 'mmseg',
    'opencv-python': 'cv2',
    'pyyaml': 'yaml',
}
UNDECLARED: set[str] = set()


def module_name(path: Path) -> str:
    return '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')


TREES = {
    module_name(path): (path.name == '__init__.py', ast.parse(path.read_text(encoding='utf-8')))
    for path in sorted((ROOT / 'mmwsss').rglob('*.py'))
}


def imports_of(module: str, is_package: bool, tree: ast.Module) -> Iterator[str]:
    """Full names of what a module imports; of ``from a import b`` the module ``a.b`` if there is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ''
            if node.level:
                parents = module.split('.')
                keep = len(parents) - node.level + is_package
                source = '.'.join([*parents[:keep], *filter(None, [node.module])])
            for alias in node.names:
                name = f'{source}.{alias.name}'
                yield name if name in TREES else source
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == 'export_modules':
            own = rf'{re.escape(module)}\.\w+'
            yield from (name for name in TREES if re.fullmatch(own, name))


IMPORTS = {module: set(imports_of(module, *entry)) for module, entry in TREES.items()}
INSIDE = {module: {name for name in names if name in TREES} for module, names in IMPORTS.items()}


def floor_of(module: str) -> int:
    fitting = [n for n in FLOORS if module == n or module.startswith(f'{n.rstrip(".")}.')]
    return FLOORS[max(fitting, key=len)]


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Groups of modules that reach each other."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            new = graph[todo.pop()] - seen
            seen |= new
            todo += new
        reached[start] = seen
    groups = (
        {other for other in seen if module in reached[other]} for module, seen in reached.items()
    )
    return {frozenset(group) for group in groups if group}


def test_every_package_has_a_floor():
    packages = {name for name in TREES if name.count('.') == 1}
    assert packages <= FLOORS.keys()
    assert len(INSIDE) > 100


def test_imports_run_downwards():
    upward = {
        (module, name)
        for module, names in INSIDE.items()
        for name in names
        if module != 'mmwsss' and floor_of(name) > floor_of(module)
    }
    assert upward == set()


def test_there_are_no_circles():
    assert circles(INSIDE) == set()


def test_circles_are_found():
    graph = {'a': {'b'}, 'b': {'c'}, 'c': {'b'}, 'd': {'d'}, 'e': set()}
    assert circles(graph) == {frozenset('bc'), frozenset('d')}


@pytest.mark.parametrize(
    ('text', 'imported'),
    [
        ('import mmwsss.io.names', 'mmwsss.io.names'),
        ('from mmwsss.io import names', 'mmwsss.io.names'),
        ('from mmwsss.io.names import shard', 'mmwsss.io.names'),
        ('from ..io import names', 'mmwsss.io.names'),
        ('from . import cam', 'mmwsss.functional.cam'),
        ('if TYPE_CHECKING:\n    from .cam import x', 'mmwsss.functional.cam'),
        ('def f():\n    import mmwsss.models', 'mmwsss.models'),
    ],
)
def test_all_forms_of_imports_are_read(text, imported):
    assert imported in set(imports_of('mmwsss.functional.crf', False, ast.parse(text)))


def declared() -> set[str]:
    """Modules of the distributions in ``install_requires`` and in the extras that the package imports."""
    setup = ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8'))
    lists = {node.targets[0].id: node.value for node in setup.body if isinstance(node, ast.Assign)}
    (requires,) = (
        node.value
        for node in ast.walk(setup)
        if isinstance(node, ast.keyword) and node.arg == 'install_requires'
    )
    names = ('OPENMMLAB', 'CRF', 'COCO', 'ONNX', 'CLIP')
    values = (requires, *(lists[name] for name in names))
    texts = [text for value in values for text in ast.literal_eval(value)]
    names = [re.match(r'[\w.-]+', text)[0] for text in texts]
    return {MODULES.get(name, name) for name in names}


def test_what_is_imported_is_declared_and_the_other_way_round():
    outside = {name.split('.')[0] for names in IMPORTS.values() for name in names}
    outside -= {*sys.stdlib_module_names, 'mmwsss', 'mmwsss_command'}
    assert outside - declared() == UNDECLARED
    assert declared() - {'onnx', 'onnxscript'} <= outside  # torch imports these two
