"""The command line of pipelines, with stages that are small scripts."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from mmwsss.io import read_id_list
from mmwsss.pipeline import read_summary
from mmwsss.utils.cli import run_tool

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'run_pipeline.py'
SCRIPT = """
import sys
from pathlib import Path
source, out = map(Path, sys.argv[1:3])
text = source.read_text()
if 'bad' in text:
    sys.exit('bad input' if 'worse' not in text else 3)
(out / 'result.txt').write_text(text.upper())
"""


@pytest.fixture(autouse=True)
def keep_signal_handler():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def config(tmp_path):
    """Two stages: `first` turns in.txt into capitals, `second` does so with what the first made."""
    (tmp_path / 'script.py').write_text(SCRIPT)
    (tmp_path / 'in.txt').write_text('good')
    stage = dict(run='tool', tool=str(tmp_path / 'script.py'))
    stages = {
        'first': {**stage, 'args': [str(tmp_path / 'in.txt'), '{work}']},
        'second': {**stage, 'args': ['{first}/result.txt', '{work}']},
    }
    (tmp_path / 'p.py').write_text(f'stages = {stages!r}\n')
    return tmp_path / 'p.py'


def load():
    spec = importlib.util.spec_from_file_location('run_pipeline', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*args) -> int:
    module = load()
    with pytest.raises(SystemExit) as end:
        run_tool(module.main, module.parse_args([str(arg) for arg in args]))
    return end.value.code


def test_the_plan_in_words(config, tmp_path, capsys):
    args = (config, '--work-dir', tmp_path / 'work')
    assert run(*args, '--dry-run') == 0
    assert capsys.readouterr().out == 'first: run: not run yet\nsecond: run: first runs first\n'
    assert not (tmp_path / 'work').exists() or not list(
        (tmp_path / 'work').glob('[a-z]*/result.txt')
    )
    assert run(*args) == 0
    assert (tmp_path / 'work' / 'second' / 'result.txt').read_text() == 'GOOD'
    capsys.readouterr()
    assert run(*args, '--dry-run') == 0
    assert capsys.readouterr().out == (
        'first: skip: done and unchanged\nsecond: skip: done and unchanged\n'
    )
    (tmp_path / 'in.txt').write_text('GOOD')
    assert run(*args, '--dry-run') == 0
    assert capsys.readouterr().out == (
        'first: again: a file that it reads has changed\nsecond: run: first runs first\n'
    )
    assert run(*args) == 0  # the first makes what it made before, so the second has nothing to do
    assert '[2/2] second: skip: done and unchanged' in capsys.readouterr().out


def test_a_finished_run_is_told_without_importing_the_package(config, tmp_path, capsys):
    args = [str(config), '--work-dir', str(tmp_path / 'work')]
    (tmp_path / 'shadow').mkdir()
    (tmp_path / 'shadow' / 'mmwsss.py').write_text("raise ImportError('not here')\n")
    assert run(*args) == 0
    summary = capsys.readouterr().out.splitlines()[-1]
    env = {**os.environ, 'PYTHONPATH': str(tmp_path / 'shadow')}
    command = [sys.executable, TOOL, *args]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        '[1/2] first: skip: done and unchanged',
        '[2/2] second: skip: done and unchanged',
    ]
    assert lines[2:] == [summary]
    told_before = load().told_before
    assert told_before(args) == lines
    assert told_before([*args, '--seed', '1']) is None
    result = tmp_path / 'work' / 'second' / 'result.txt'
    for changed in (tmp_path / 'in.txt', config, result):
        before = changed.stat()
        os.utime(changed, (before.st_atime, before.st_mtime + 1))
        assert told_before(args) is None
        os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert told_before(args) == lines
    result.unlink()
    assert told_before(args) is None
    assert run(*args) == 0
    assert result.is_file()
    assert told_before(args) == lines


def test_a_finished_run_sees_a_new_folder_in_what_a_tool_reads(config, tmp_path):
    (tmp_path / 'images' / 'old' / 'deep').mkdir(parents=True)
    (tmp_path / 'images' / 'old' / 'deep' / '1.txt').write_text('1')
    with config.open('a') as stream:
        stream.write(f"stages['first']['reads'] = [{str(tmp_path / 'images')!r}]\n")
    args = [str(config), '--work-dir', str(tmp_path / 'work')]
    assert run(*args) == 0
    told_before = load().told_before
    for folder in ('old', 'new'):
        assert told_before(args) is not None
        (tmp_path / 'images' / folder).mkdir(exist_ok=True)
        (tmp_path / 'images' / folder / '2.txt').write_text('2')
        assert told_before(args) is None
        assert run(*args) == 0


def test_what_reaches_beyond_a_config_is_looked_at_each_time(config, tmp_path):
    with config.open('a') as stream:
        stream.write("check_data = '{{$CHECK_DATA:size}}'\n")
    assert run(config, '--work-dir', tmp_path / 'work') == 0
    assert not (tmp_path / 'work' / 'finished.json').exists()
    assert run(config, '--work-dir', tmp_path / 'other', '--force') == 0
    assert not (tmp_path / 'other' / 'finished.json').exists()


def test_a_failing_stage(config, tmp_path, capsys):
    (tmp_path / 'in.txt').write_text('bad')
    assert run(config, '--work-dir', tmp_path / 'work') == 1
    said = capsys.readouterr()
    assert '      | bad input' in said.out
    assert "stage 'first' failed with exit code 1; the stages behind it were not run" in said.err
    assert not (tmp_path / 'work' / 'second').exists()
    (tmp_path / 'in.txt').write_text('bad, worse')
    assert run(config, '--work-dir', tmp_path / 'work') == 3
    (tmp_path / 'in.txt').write_text('fine')
    assert run(config, '--work-dir', tmp_path / 'work') == 0
    log = (tmp_path / 'work' / 'log.txt').read_text()
    assert len(re.findall('^=== first: ', log, re.MULTILINE)) == 3


def test_wrong_input_is_one_line(config, tmp_path, capsys):
    assert run(config, '--work-dir', tmp_path / 'work', '--last', 'frist') == 2
    assert 'error: ' in capsys.readouterr().err
    assert run(tmp_path / 'nothing.py') == 2
    assert run(config, '--nproc', '2') == 2
    assert 'more need a launcher, pytorch or slurm, but got 2' in capsys.readouterr().err


def test_the_summary_is_kept_for_the_tables(config, tmp_path):
    assert run(config, '--work-dir', tmp_path / 'work', '--results', tmp_path / 'results') == 0
    (path,) = (tmp_path / 'results').iterdir()
    summary = read_summary(path)
    assert summary == read_summary(tmp_path / 'work' / 'summary.json')
    assert path.name == f'seed{summary.seed}.json'
    assert [stage.name for stage in summary.stages] == ['first', 'second']
    assert all(stage.command.startswith('python ') for stage in summary.stages)


def test_a_dry_run_looks_at_data_and_weights(tmp_path, capsys):
    (tmp_path / 'names.csv').write_text('id,class names\na,cat\n')
    (tmp_path / 'images').mkdir()
    Image.new('RGB', (8, 8)).save(tmp_path / 'images' / 'b.png')
    args = (
        'configs/pipelines/custom.py', '--work-dir', tmp_path / 'work', '--last', 'localizer', '--dry-run',
        '--cfg-options', f'data_root={tmp_path}', f'localizer.pretrained={tmp_path / "none.pth"}',
    )  # fmt: skip
    before = sorted(tmp_path.rglob('*'))
    assert run(*args) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith('data: run: not run yet\nlocalizer: run: data runs first\n')
    assert 'there is a label, but no image' in captured.out
    problems = captured.err.splitlines()
    assert problems[0].startswith(
        'error: data: its --dry-run ended with exit code 2; to see all of it: mmwsss data generic '
    )
    assert problems[0].endswith(' --dry-run')
    assert problems[1].startswith('error: localizer: ')
    assert 'none.pth' in problems[1]
    assert sorted(tmp_path.rglob('*')) == before


def test_a_dry_run_looks_at_lists_labels_images_and_masks(demo_root, tmp_path, capsys):
    root = tmp_path / 'data'
    shutil.copytree(demo_root, root)
    configs = ROOT / 'configs'
    (tmp_path / 'p.py').write_text(
        f'_base_ = {str(configs / "_base_/pipelines/localizer_segmenter.py")!r}\n'
        f'data_root = {str(root)!r}\n'
        f'configs = dict(localizer={str(configs / "cam/cam_tiny_demo.py")!r},\n'
        f'    segmenter={str(configs / "deeplabv2/deeplabv2_tiny_demo_pseudo.py")!r})\n'
    )

    def problems(code, *words):
        assert run(tmp_path / 'p.py', '--work-dir', tmp_path / 'work', '--dry-run', *words) == code
        captured = capsys.readouterr()
        assert 'segmenter: run: masks runs first' in captured.out
        lines = captured.err.splitlines()
        return captured.out, [line for line in lines if line.startswith('error: ')]

    assert problems(0)[1] == []
    labels = (
        'localizer.train_dataloader.dataset.labels={"source":"masks","path":"SegmentationClass"}'
    )
    assert problems(0, '--cfg-options', 'localizer.fraction=1/2', labels)[1] == []
    (root / 'ImageSets/Segmentation/val.txt').rename(tmp_path / 'val.txt')
    missing = 'segmenter_score: skip: nothing to do: there is no list'
    assert missing in problems(0)[0]
    (tmp_path / 'val.txt').rename(root / 'ImageSets/Segmentation/val.txt')
    first = read_id_list(root / 'ImageSets/Segmentation/val.txt')[0]
    (root / f'SegmentationClass/{first}.png').unlink()
    (error,) = problems(2)[1]
    assert error.startswith('error: segmenter_score: ')
    assert first in error
    (root / f'JPEGImages/{read_id_list(root / "ImageSets/Segmentation/train.txt")[0]}.jpg').unlink()
    assert [text.split(': ')[1] for text in problems(2)[1]] == ['localizer', 'segmenter_score']
    (root / 'labels.csv').unlink()
    assert any('labels.csv' in text for text in problems(2)[1])
