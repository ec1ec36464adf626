"""What a run left in its folder: the records of its stages, and MMEngine's logs of its trainings."""

from __future__ import annotations

import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwsss.io import RECORD_NAME, Record, from_json, parsing, read_record
from mmwsss.utils.cli import KNOWN_ERRORS

__all__ = [
    'Curves',
    'Run',
    'Stage',
    'map_stages',
    'mask_stages',
    'open_run',
    'read_curves',
    'read_environment',
]

DEPTH = 3
MAX_TEXT = 250
LOGS = 'vis_data'  # of MMEngine: its files are lines of JSON
NOT_CURVES = ('base_lr', 'data_time', 'epoch', 'iter', 'lr', 'memory', 'step', 'time')
LOGGED = re.compile(r'\s*(Python|PyTorch|MMEngine|CUDA available|GPU 0\S*): (.+)')
Curves = dict[str, tuple[list[float], list[float]]]  # name -> x, y


@dataclass
class Run:
    """The records of a run."""

    root: Path
    records: dict[Path, Record] = field(default_factory=dict)  # in the order they were begun in
    problems: dict[str, str] = field(default_factory=dict)  # with files, by their names

    def name(self, path: Path) -> str:
        """A file or folder as the page names it; a ``record.json`` has the name of its folder."""
        path = path.parent if path.name == RECORD_NAME else path
        return path.relative_to(self.root).as_posix() if path != self.root else self.root.name

    def of_kind(self, *kinds: str) -> dict[Path, Record]:
        """The records of some kinds."""
        return {path: record for path, record in self.records.items() if record.kind in kinds}

    def made(self, digest: str | None) -> Path | None:
        """Path of the record with a hash, as the inputs of other records name it."""
        return next((p for p, record in self.records.items() if record.sha256() == digest), None)

    def maps_of(self, masks: Record) -> Path | None:
        """Path of the record of the maps that masks were made of, of as many images if there are several."""
        digest = masks.inputs.get('maps')
        found = {p: each for p, each in self.records.items() if each.sha256(ids=False) == digest}

        def misfit(path: Path) -> tuple[bool, bool]:
            maps = found[path]
            return maps.ids_sha256 != masks.ids_sha256, maps.ids_count < masks.ids_count

        return min(found, key=misfit, default=None)

    def reading(self, path: Path) -> AbstractContextManager[None]:
        """Note what is wrong with a file when the block that reads it fails, and go on behind it."""
        return noting(self.problems, path.relative_to(self.root).as_posix(), str(path))


@contextmanager
def noting(problems: dict[str, str], name: str, prefix: str = '') -> Iterator[None]:
    """Note a failure of the block under a name, without a prefix of its message, and go on behind it."""
    try:
        yield
    except (AttributeError, *KNOWN_ERRORS) as error:
        text = ' '.join(str(error).removeprefix(prefix).lstrip(' :').split())
        is_ours = isinstance(error, ValueError) or getattr(error, 'errno', 0) is None
        text = text if is_ours else f'{type(error).__name__}: {text}'
        problems[name] = text if len(text) <= MAX_TEXT else f'{text[:MAX_TEXT]}...'


@dataclass(frozen=True)
class Stage:
    """A folder of masks, or of class maps."""

    name: str
    folder: Path
    record: Record  # of what made them
    what: str = ''  # the score of the record that is of these masks; empty for those of make_masks
    maps: Path | None = None  # that they were made of, where the run has them

    @property
    def is_predicted(self) -> bool:
        """Whether these are a segmenter's predictions."""
        return self.record.kind == 'test'

    @property
    def is_maps(self) -> bool:
        """Whether these are class maps that nobody made masks of."""
        return self.record.kind == 'maps'


def open_run(root: str | os.PathLike[str]) -> Run:
    """Read the records of a run, three levels deep.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no record.
    """
    run = Run(Path(root).absolute())
    if not run.root.is_dir():
        raise FileNotFoundError(f'folder of a run not found: {root}')
    found: list[tuple[Path, Record]] = []
    for path in json_files(run.root):
        with run.reading(path):
            if is_record(path):
                found.append((path, read_record(path)))
    run.records = dict(sorted(found, key=lambda item: (item[1].created, item[0])))
    if not run.records and not run.problems:
        raise ValueError(f'{root} holds no {RECORD_NAME} of a stage: is it a run?')
    return run


def json_files(root: Path) -> Iterator[Path]:
    """JSON files of a run; links, hidden folders and MMEngine's logs are left out."""
    for folder, below, names in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        below[:] = sorted(n for n in below if depth < DEPTH and n[0] != '.' and n != LOGS)
        yield from (Path(folder, n) for n in sorted(names) if n.endswith('.json') and n[0] != '.')


def is_record(path: Path) -> bool:
    """Whether a file is a record: of a stage by its name, of a score by its kind.

    Raises:
        ValueError: It is not JSON.
    """
    with parsing('is not JSON'):
        content = json.loads(path.read_text(encoding='utf-8'))
    is_score = isinstance(content, dict) and content.get('kind') == 'score'
    return path.name == RECORD_NAME or is_score


def mask_stages(run: Run) -> list[Stage]:
    """Folders of pseudo masks and of a segmenter's predictions."""
    stages = []
    for path, record in run.of_kind('masks', 'test').items():
        name = run.name(path)
        if record.kind == 'masks':
            maps = run.maps_of(record)
            stages.append(Stage(name, path.parent, record, maps=maps and maps.parent))
            continue
        with run.reading(path):
            where = 'result: predictions'
            places = from_json(dict[str, str], record.result.get('predictions', {}), where)
            for what, place in places.items():
                full = f'{name}: {what}' if len(places) > 1 else name
                stages.append(Stage(full, path.parent / place, record, what))
    return [stage for stage in stages if stage.folder.is_dir()]


def map_stages(run: Run) -> list[Stage]:
    """Folders of class maps that no masks were made of."""
    used = {stage.maps for stage in mask_stages(run)}
    maps = run.of_kind('maps').items()
    stages = [Stage(run.name(path), path.parent, record, maps=path.parent) for path, record in maps]
    return [stage for stage in stages if stage.folder not in used]


# --- logs -----------------------------------------------------------------------------------------


def read_curves(run: Run) -> dict[str, Curves]:
    """Curves of every training by name, from MMEngine's ``vis_data/scalars.json``.

    A later log of a training goes on where its first step lies.
    """
    trainings: dict[str, Curves] = {}
    for path in run.of_kind('train'):
        curves: dict[str, dict[float, float]] = defaultdict(dict)
        for log in sorted(path.parent.glob(f'*/{LOGS}/scalars.json')):
            with run.reading(log):
                for key, points in read_scalars(log).items():
                    kept = {x: y for x, y in curves[key].items() if x < min(points)}
                    curves[key] = {**kept, **points}
        lines = {key: sorted(points.items()) for key, points in curves.items() if len(points) > 1}
        if lines:
            named = {key: [[*values] for values in zip(*line)] for key, line in lines.items()}
            trainings[run.name(path)] = {key: (x, y) for key, (x, y) in named.items()}
    return trainings


def read_scalars(path: Path) -> dict[str, dict[float, float]]:
    """Key -> step -> value of one log; its last line may be cut, as killed trainings leave it.

    Raises:
        ValueError: It holds something, but no row.
    """
    curves: dict[str, dict[float, float]] = defaultdict(dict)
    text, rows = path.read_text(encoding='utf-8', errors='replace'), 0
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and is_number(row.get('step')):
            rows += 1
            for key, value in row.items():
                if is_number(value) and key.rsplit('/', 1)[-1] not in NOT_CURVES:
                    curves[key][row['step']] = value
    if text and not rows:
        raise ValueError('expected rows of JSON with a number `step`, but got none')
    return curves


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return type(value) in (int, float) and math.isfinite(value)


def read_environment(run: Run) -> dict[str, str]:
    """Code, hardware and seeds of the records, and the versions in the log of the first training."""
    records = run.records.values()
    found = {
        'mmwsss of the run': joined(record.code for record in records),
        'hardware': joined(record.hardware for record in records),
        'date': joined(record.created[:10] for record in records),
        'seed': joined(str(r.result['seed']) for r in records if 'seed' in r.result),
    }
    logs = [log for path in run.of_kind('train') for log in sorted(path.parent.glob('*/*.log'))]
    if logs:
        with logs[0].open(encoding='utf-8', errors='replace') as file:
            lines = (LOGGED.fullmatch(line.rstrip()) for _, line in zip(range(200), file))
            found.update((match[1], match[2]) for match in lines if match)
    return {name: value for name, value in found.items() if value}


def joined(texts: Iterator[str]) -> str:
    """Different texts, joined by commas."""
    return ', '.join(dict.fromkeys(text for text in texts if text))
