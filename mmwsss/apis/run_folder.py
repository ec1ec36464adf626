"""What a run left in its folder: configs, maps, masks, scores, logs, whoever ran it.

Nothing here depends on the names of sub-folders more than it must: maps and masks are known by their
manifests, scores by their content, trainings by MMEngine's logs.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsss.apis.run_files import (
    INSTANCE_SCORES,
    check_eval,
    check_record_fields,
    check_test,
    is_number,
    load_json,
    shown,
)
from mmwsss.evaluation.protocol import uses_ground_truth
from mmwsss.io import RECORD_NAME, Record, read_record
from mmwsss.utils.cli import KNOWN_ERRORS
from mmwsss.utils.config import load_config
from mmwsss.visualization.report import Html, StageScore, ThresholdCurve, Training

__all__ = [
    'RunFolder',
    'RunRecord',
    'mask_protocol',
    'open_run',
    'read_environment',
    'read_scores',
    'read_trainings',
]

DEPTH = 3
NOT_OBJECTS = ('steps.json', RECORD_NAME)  # read elsewhere
TIMESTAMP = re.compile(r'\d{8}_\d{6}')
NOT_CURVES = ('base_lr', 'data_time', 'epoch', 'iter', 'lr', 'memory', 'step', 'time')
ENVIRONMENT = (
    'sys.platform', 'Python', 'PyTorch', 'MMEngine', 'CUDA available', 'GPU 0', 'GPU 0,1', 'NVCC',
    'seed', 'Distributed launcher', 'GPU number',
)  # fmt: skip
PREDICTIONS = re.compile(r'(?:[\w-]+/)?predictions?(_\w+)?|segmenter\w*/masks')
RECORDS = ('vis_data', 'stages', 'steps')  # logs of a training, records of pipeline and demo
NO_CRF = 'no CRF'
MAX_TEXT = 250
# Names that the tools, the study and the pages of the documentation give to scores and records.
SCORE_NAMES = ('maps.json', 'masks.json', 'scores.json')
RECORD_NAMES = ('report.json', 'summary.json')


@dataclass
class RunFolder:
    """The parts of a run.

    Attributes:
        root: The folder.
        maps: Folders of class maps and their manifests.
        masks: Folders of pseudo masks and their manifests.
        predictions: Folders of a segmenter's masks.
        configs: Configs that MMEngine left beside the trainings, by path.
        jsons: JSON objects of the run by path, but logs and manifests.
        problems: What is wrong with files that were left out, by path.
    """

    root: Path
    maps: dict[Path, Record] = field(default_factory=dict)
    masks: dict[Path, Record] = field(default_factory=dict)
    predictions: list[Path] = field(default_factory=list)
    configs: dict[Path, Config] = field(default_factory=dict)
    jsons: dict[Path, dict[str, Any]] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)

    def name(self, path: str | os.PathLike[str]) -> str:
        """A path as the report names it: below the run's folder where it is."""
        path = Path(path)
        inside = path.is_relative_to(self.root) and path != self.root
        return (path.relative_to(self.root) if inside else path).as_posix()

    @contextmanager
    def reading(self, path: Path, what: str = '') -> Iterator[None]:
        """Note what is wrong with a file when the block that reads it fails, and go on behind it.

        Args:
            path: The file.
            what: What it should be; empty: the block's ``ValueError`` says what it expected.
        """
        try:
            yield
        except (AttributeError, *KNOWN_ERRORS) as error:
            text = ' '.join(str(error).split())
            if what or not isinstance(error, ValueError):
                what = what or 'what this version writes'
                text = f'expected {what}, but got {type(error).__name__}: {text}'
            self.problems[path] = text if len(text) <= MAX_TEXT else f'{text[:MAX_TEXT]}...'

    def maps_of(self, masks: Path) -> Path | None:
        """The folder of maps that masks were made of; None if it is not in the run."""
        wanted = self.masks[masks].inputs.get('maps')
        return next((p for p, found in self.maps.items() if found.sha256() == wanted), None)


@dataclass
class RunRecord:
    """What whoever ran it wrote down; empty parts are looked for in the folder instead.

    Attributes:
        title: Heading of the report.
        intro: What the run did.
        scores: Scores of the stages.
        curves: Threshold curves.
        seconds: Step -> wall time.
        commands: Commands and their seconds.
        environment: Name -> value.
        names: Folder of masks -> what the report calls it.
        only_shown: Folders of masks that are shown and not scored.
        extra: Further sections of the report.
    """

    title: str = ''
    intro: str = ''
    scores: list[StageScore] = field(default_factory=list)
    curves: list[ThresholdCurve] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    commands: list[tuple[str, float | None]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    names: dict[Path, str] = field(default_factory=dict)
    only_shown: set[Path] = field(default_factory=set)
    extra: dict[str, Html] = field(default_factory=dict)


def open_run(root: str | os.PathLike[str]) -> RunFolder:
    """Look through a run's folder, three levels deep.

    Configs in it are executed as every config is: open runs of people you trust.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds nothing of a run.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'folder of a run not found: {root}')
    run = RunFolder(root)
    for folder in folders(root, DEPTH):
        add_manifest(run, folder)
        if PREDICTIONS.fullmatch(run.name(folder)) and next(folder.glob('*.png'), None):
            run.predictions.append(folder)
        for path in sorted(folder.glob('*.json')):
            if path.name not in NOT_OBJECTS and folder.name not in RECORDS:
                add_json(run, path)
        if any(TIMESTAMP.fullmatch(entry.name) for entry in folder.iterdir()):
            add_configs(run, folder)
    run.predictions = [folder for folder in run.predictions if folder not in run.masks]
    if not (run.maps or run.masks or run.configs or run.jsons or run.problems):
        raise ValueError(f'{root} holds no maps, masks, scores or trainings: is it a run?')
    return run


def folders(root: Path, depth: int) -> Iterator[Path]:
    """``root`` and the folders below it, sorted; links and hidden folders are left out."""
    yield root
    if depth == 0:
        return
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith('.'):
            yield from folders(entry, depth - 1)


def add_manifest(run: RunFolder, folder: Path) -> None:
    """Note a folder of maps or masks; one with a damaged manifest is a problem."""
    path = folder / RECORD_NAME
    if not path.is_file():
        return
    with run.reading(path):
        manifest = read_record(folder)
        check_record_fields(asdict(manifest))
        (run.maps if manifest.kind == 'maps' else run.masks)[folder] = manifest


def add_json(run: RunFolder, path: Path) -> None:
    """Note a JSON object; files of other programs may hold something else."""
    with run.reading(path):
        content = load_json(path)
        if isinstance(content, dict):
            run.jsons[path] = content
        elif is_score(path) or path.name in RECORD_NAMES:
            raise ValueError(f'expected an object, but got {shown(content)}')


def is_score(path: Path) -> bool:
    """Whether a file has the name of scores."""
    return path.name in SCORE_NAMES or bool(TIMESTAMP.fullmatch(path.stem))


def add_configs(run: RunFolder, folder: Path) -> None:
    """Note the configs that MMEngine wrote to a work directory; one that does not load is a problem."""
    for path in sorted(folder.glob('*.py')):
        with run.reading(path, 'a config'):
            try:
                run.configs[path] = load_config(path)
            except SyntaxError as error:
                raise ValueError(str(error)) from error


# --- scores ---------------------------------------------------------------------------------------


def read_scores(run: RunFolder) -> tuple[list[StageScore], list[ThresholdCurve], set[Path]]:
    """Scores that ``eval_masks.py`` and ``test.py`` left.

    Returns:
        The scores, the threshold curves, and the resolved folders that were scored.
    """
    scores: list[StageScore] = []
    curves: list[ThresholdCurve] = []
    scored: set[Path] = set()
    for path, content in run.jsons.items():
        with run.reading(path):
            what = kind_of_score(path, content)
            if what == 'test':
                check_test(content)
                scores.append(test_score(content, run.name(path.parents[1])))
            elif what:
                check_eval(content)
                folder = Path(content['predictions']).resolve()
                name = run.name(content['predictions'])
                maps = what == 'class maps'
                scores += map_scores(content, name) if maps else [mask_score(run, content)]
                curves += [curve_of(content, name)] if maps else []
                scored.add(folder)
    return scores, curves, scored


def kind_of_score(path: Path, content: dict[str, Any]) -> str:
    """What a JSON object scores: ``'masks'``, ``'class maps'``, ``'test'``; empty if it is no score.

    Raises:
        ValueError: It has the name of a score and does not say what it scores.
    """
    what = content.get('what')
    if what in ('masks', 'class maps'):
        return what
    if TIMESTAMP.fullmatch(path.stem):
        return 'test' if 'mIoU' in content else ''
    if path.name in SCORE_NAMES and not isinstance(what, str):
        found = f'got {shown(what)}' if 'what' in content else 'it is missing'
        raise ValueError(f'expected `what`: a text, but {found}')
    return ''


def curve_of(content: dict[str, Any], name: str) -> ThresholdCurve:
    """The threshold curve of what ``score_maps`` found."""
    return ThresholdCurve(name, content['thresholds'], content['mIoU'], content['argmax_mIoU'])


def map_scores(content: dict[str, Any], name: str) -> list[StageScore]:
    """Scores of class maps with and without threshold."""
    where = describe_images(content)
    best = StageScore(
        f'{name}: best threshold',
        f'{where}; threshold {content["best_threshold"]:g}, the best on the ground truth of these '
        f'very images; {NO_CRF}',
        content['best_mIoU'],
        content.get('best_IoU', {}),
        uses_ground_truth=True,
    )
    if content['argmax_mIoU'] is None:
        return [best]
    rule = f'{where}; no threshold (argmax with the own background); {NO_CRF}'
    argmax = content.get('argmax_IoU', {})
    return [best, StageScore(f'{name}: no threshold', rule, content['argmax_mIoU'], argmax)]


def mask_score(run: RunFolder, content: dict[str, Any]) -> StageScore:
    """Score of a folder of masks, instance-aware scores included where there are any."""
    others = {key: content[key] for key in INSTANCE_SCORES if key in content}
    settings = (content.get('manifest') or {}).get('settings', {})
    folder = next((p for p in run.masks if same_folder(p, content['predictions'])), None)
    rule = f'{describe_images(content)}; {describe_masks(settings)}'
    return StageScore(
        run.name(content['predictions']),
        rule if folder is None else mask_protocol(run, folder),
        content['mIoU'],
        content.get('IoU', {}),
        uses_ground_truth([content, settings], settings.get('threshold_source')),
        others,
    )


def same_folder(one: Path, other: str) -> bool:
    """Whether two paths name one folder."""
    return one.resolve() == Path(other).resolve()


def mask_protocol(run: RunFolder, masks: Path) -> str:
    """How a folder of pseudo masks was made: images, views, threshold, refiners."""
    manifest, maps = run.masks[masks], run.maps_of(masks)
    views = run.maps[maps].settings if maps is not None else {}
    content = {
        'images': manifest.ids_count - len(manifest.failed),
        'images_asked': manifest.ids_count,
        'manifest': {'split': manifest.split, 'settings': views},
    }
    return f'{describe_images(content)}; {describe_masks(manifest.settings)}'


def test_score(content: dict[str, Any], name: str) -> StageScore:
    """Score of a segmenter in its test loop, which MMEngine keeps in percent."""
    others = {key: defined_share(content[key]) for key in INSTANCE_SCORES if key in content}
    rule = 'the test loop of its config: one scale, no mirror unless the config says otherwise'
    return StageScore(name, f'{rule}; {NO_CRF}', defined_share(content['mIoU']), others=others)


def defined_share(percent: float | None) -> float | None:
    """Percent as a number in 0..1; None where it is undefined."""
    return None if percent is None or not math.isfinite(percent) else percent / 100


def describe_images(content: dict[str, Any]) -> str:
    """How many images of which split, and at which scales their maps were made."""
    manifest = content.get('manifest') or {}
    settings, asked = manifest.get('settings', {}), content.get('images_asked', content['images'])
    split = f' {manifest["split"]}' if manifest.get('split') else ''
    text = f'{content["images"]}{split} images'
    if asked != content['images']:
        text += f' ({asked - content["images"]} of {asked} failed)'
    if 'scales' in settings:
        scales = ', '.join(f'{scale:g}' for scale in settings['scales'])
        text += f'; scales {scales}' + (' with mirrors' if settings.get('flip') else '')
    return text


def describe_masks(settings: dict[str, Any]) -> str:
    """Threshold and refiners of a folder of masks."""
    if not settings:
        return 'made by: unknown (no manifest)'
    names = [refiner.get('type', '?') for refiner in settings.get('refiners') or []]
    threshold = settings.get('threshold')
    source = f', from {settings.get("threshold_source")}'
    rule = 'no threshold' if threshold is None else f'threshold {threshold:g}{source}'
    refiners = [name for name in names if name != 'BackgroundThreshold']
    crf = [] if any('CRF' in name for name in names) else [NO_CRF]
    return '; '.join([rule, *(['refiners ' + ', '.join(refiners)] if refiners else []), *crf])


# --- logs -----------------------------------------------------------------------------------------


def read_trainings(run: RunFolder) -> list[Training]:
    """Curves of every training, from MMEngine's ``vis_data/scalars.json``."""
    files = defaultdict(list)
    for path in sorted(run.root.rglob('vis_data/scalars.json')):
        with run.reading(path):
            check_rows(path)
        if path in run.problems:
            continue
        files[run.name(path.parents[2]) if path.parents[2] != run.root else 'training'].append(path)
    trainings = [training_of(name, paths) for name, paths in files.items()]
    return [training for training in trainings if training.losses or training.metrics]


def training_of(name: str, paths: Iterable[Path]) -> Training:
    """Curves of one training; a later log goes on where its first step lies."""
    curves: dict[str, dict[float, float]] = defaultdict(dict)
    for path in paths:
        for key, found in curves_of(path).items():
            first = min(found)
            earlier = {step: value for step, value in curves[key].items() if step < first}
            curves[key] = {**earlier, **found}
    lines = {
        key: (sorted(points), [points[step] for step in sorted(points)])
        for key, points in curves.items()
        if len(points) > 1
    }
    losses = {key: line for key, line in lines.items() if 'loss' in key.lower()}
    return Training(name, losses, {k: line for k, line in lines.items() if k not in losses})


def curves_of(path: Path) -> dict[str, dict[float, float]]:
    """Key -> step -> value of one log."""
    curves: dict[str, dict[float, float]] = defaultdict(dict)
    for row in scalar_rows(path):
        for key in row:
            if key.rsplit('/', 1)[-1] not in NOT_CURVES:
                curves[key][row['step']] = row[key]
    return curves


def check_rows(path: Path) -> None:
    """Refuse a log without a row; one whose last line was cut is as usual as a killed training.

    Raises:
        ValueError: It holds something, but no row.
    """
    if path.stat().st_size and next(scalar_rows(path), None) is None:
        raise ValueError('expected rows of JSON with a number `step`, but got none')


def scalar_rows(path: Path) -> Iterator[dict[str, float]]:
    """Rows of numbers with a step; damaged lines are left out."""
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and is_number(row.get('step')):
            yield {key: value for key, value in row.items() if isinstance(value, (int, float))}


def read_environment(run: RunFolder) -> dict[str, str]:
    """Versions and hardware: from the log of the first training, and the code version of manifests."""
    found: dict[str, str] = {}
    for path in sorted(run.root.rglob('*.log')):
        if TIMESTAMP.fullmatch(path.stem) and path.is_file():
            found = environment_of(path)
            break
    versions = [m.code for m in [*run.maps.values(), *run.masks.values()]]
    if versions:
        found['mmwsss of the run'] = ', '.join(dict.fromkeys(versions))
    return found


def environment_of(path: Path) -> dict[str, str]:
    """The lines about the system that MMEngine writes on top of a log."""
    found = {}
    with path.open(encoding='utf-8', errors='replace') as file:
        for _, line in zip(range(200), file):
            key, separator, value = line.strip().partition(': ')
            if separator and key in ENVIRONMENT:
                found[key] = value.strip()
    return found
