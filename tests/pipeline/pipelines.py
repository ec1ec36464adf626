"""A pipeline small enough for tests, and a way to run its tools without starting processes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from mmwsss.pipeline import Pipeline, read_pipeline
from mmwsss.utils.cli import KNOWN_ERRORS

ROOT = Path(__file__).parents[2]
SMALL = {
    'train_cfg.max_iters': 3,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'default_hooks.checkpoint.interval': 1,
}
NO_WORKERS = {'test_dataloader.num_workers': 0, 'test_dataloader.persistent_workers': False}
TEXT = """
_base_ = {base!r}
data_root = {data_root!r}
options = {options!r}
stages = dict(data=dict(args=['--out', '{{data_root}}', '--train', '8', '--val', '4', '--min-size', '48',
                              '--max-size', '64']))
"""


def small_pipeline(
    folder: Path, data_root: Path, base: str | Path = 'cam_demo.py', **options: dict
) -> Path:
    """Write a pipeline's config: three iterations on eight images."""
    path = folder / 'small.py'
    named = {
        'localizer': {**SMALL, 'model.test_cfg.scales': [1.0]},
        'segmenter': {**SMALL, **NO_WORKERS},
        **options,
    }
    text = TEXT.format(
        base=str(ROOT / 'configs' / 'pipelines' / base),
        data_root=str(data_root),
        options=named,
    )
    path.write_text(text, encoding='utf-8')
    return path


class InProcess:
    """Runs tools in this process; remembers which."""

    def __init__(self) -> None:
        self.tools: list[str] = []

    def __call__(self, command, log, say, lock=None) -> int:
        tool, words = Path(command[1]), list(command[2:])
        self.tools.append(tool.name)
        spec = importlib.util.spec_from_file_location(f'tool_{tool.stem}', ROOT / tool)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if tool.name == 'make_demo_data.py':
            return module.main(words)
        try:
            return module.main(module.parse_args(words)) or 0
        except KNOWN_ERRORS as error:
            print(error, file=sys.stderr)
            return 2


def pipeline(path: Path, work_dir: Path, options: dict | None = None, **kwargs) -> Pipeline:
    """A pipeline that runs in this process; ``said`` and ``tools`` tell what happened."""
    said: list[str] = []
    execute = InProcess()
    spec = read_pipeline(path, options, kwargs.pop('seed', None))
    made = Pipeline(spec, work_dir, say=said.append, execute=execute, **kwargs)
    made.said, made.tools_run = said, execute.tools
    return made
