"""The command lines of tools/dataset_converters; what they do is tested in tests/datasets."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets.tiny import make_tiny

TOOLS = Path(__file__).parents[2] / 'tools' / 'dataset_converters'


def run(tool, *args):
    command = [sys.executable, str(TOOLS / f'{tool}.py'), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_generic_reports_and_exits_with_1_when_an_image_fails(tmp_path):
    root = make_tiny(tmp_path)
    (root / 'images/first.jpg').write_bytes(b'')
    arguments = [root / 'images', '--masks', root / 'masks', '--classes', root / 'classes.txt']
    done = run('generic', *arguments, '--out', root / 'out', '--workers', 0)
    assert done.returncode == 1
    assert 'failed: first: UnidentifiedImageError' in done.stderr
    assert '"images": 2' in done.stdout
    assert (root / 'out/classes.txt').read_text() == 'cat\ndog\n'


@pytest.mark.parametrize(
    ('tool', 'message'),
    [('voc12aug', 'list of images does not exist'), ('coco14', 'instances_train2014.json')],
)
def test_missing_input_is_one_line_and_exit_code_2(tmp_path, tool, message):
    if tool == 'coco14':
        pytest.importorskip('pycocotools.mask', reason='pycocotools, the extra "coco", is missing')
    folders = [tmp_path, tmp_path] if tool == 'voc12aug' else [tmp_path]
    done = run(tool, *folders)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1
    assert message in errors[0]
    assert 'Traceback' not in done.stderr
