"""What the JSON files of a run must hold, and what is said of one that does not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    'LAYOUTS',
    'Layout',
    'check_demo',
    'check_eval',
    'check_record_fields',
    'check_steps',
    'check_summary',
    'check_test',
    'load_json',
]

MAX_SHOWN = 60
NAMES = {
    bool: 'truth value',
    dict: 'object',
    float: 'number',
    int: 'number',
    list: 'list',
    str: 'text',
}
INSTANCE_SCORES = ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L')


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return type(value) in (int, float) and math.isfinite(value)


def list_of(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A test for lists whose items pass a test."""
    return lambda value: isinstance(value, list) and all(map(test, value))


def object_of(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A test for objects whose values pass a test."""
    return lambda value: isinstance(value, dict) and all(map(test, value.values()))


def maybe(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A test that null passes, too."""
    return lambda value: value is None or test(value)


def is_a(kind: type) -> Callable[[Any], bool]:
    """A test for values of one type."""
    return lambda value: type(value) is kind


COUNT, NUMBER, TEXT = 'a whole number', 'a number', 'a text'
SCORE, NUMBER_OR_NAN, FLAG = 'a number or null', 'a number or NaN', 'true, false or null'
OBJECT, OBJECTS, TEXTS = 'an object', 'a list of objects', 'a list of texts'
NUMBERS, CURVE = 'a list of numbers', 'a list of numbers or nulls'
BY_NAME, SECONDS = 'an object of numbers or nulls', 'an object of numbers'
TEXT_OR_NULL, OBJECT_OR_NULL, OBJECTS_OR_NULL = (f'{k} or null' for k in (TEXT, OBJECT, OBJECTS))
TESTS: dict[str, Callable[[Any], bool]] = {
    COUNT: is_a(int),
    NUMBER: is_number,
    TEXT: is_a(str),
    SCORE: maybe(is_number),
    NUMBER_OR_NAN: maybe(lambda value: type(value) in (int, float)),
    FLAG: maybe(is_a(bool)),
    OBJECT: is_a(dict),
    OBJECTS: list_of(is_a(dict)),
    TEXTS: list_of(is_a(str)),
    NUMBERS: list_of(is_number),
    CURVE: list_of(maybe(is_number)),
    BY_NAME: object_of(maybe(is_number)),
    SECONDS: object_of(is_number),
    TEXT_OR_NULL: maybe(is_a(str)),
    OBJECT_OR_NULL: maybe(is_a(dict)),
    OBJECTS_OR_NULL: maybe(list_of(is_a(dict))),
}

Layout = tuple[
    Mapping[str, str], Mapping[str, str]
]  # required and optional fields, and their kinds
OTHERS = dict.fromkeys(INSTANCE_SCORES, SCORE)
LAYOUTS: dict[str, Layout] = {
    'masks': (
        {'predictions': TEXT, 'images': COUNT, 'mIoU': SCORE},
        {
            'images_asked': COUNT,
            'IoU': BY_NAME,
            'manifest': OBJECT_OR_NULL,
            'uses_ground_truth': FLAG,
            **OTHERS,
        },
    ),
    'class maps': (
        {
            'predictions': TEXT,
            'images': COUNT,
            'thresholds': NUMBERS,
            'mIoU': CURVE,
            'best_threshold': NUMBER,
            'best_mIoU': SCORE,
            'argmax_mIoU': SCORE,
        },
        {
            'images_asked': COUNT,
            'best_IoU': BY_NAME,
            'argmax_IoU': BY_NAME,
            'manifest': OBJECT_OR_NULL,
        },
    ),
    'test': ({'mIoU': NUMBER_OR_NAN}, dict.fromkeys(INSTANCE_SCORES, NUMBER_OR_NAN)),
    'manifest': (
        {
            'classes': TEXTS,
            'split': TEXT,
            'ids_count': COUNT,
            'settings': OBJECT,
            'inputs': OBJECT,
            'code': TEXT,
            'failed': TEXTS,
        },
        {},
    ),
    'manifest in a score': ({'settings': OBJECT}, {'split': TEXT}),
    'settings': (
        {},
        {
            'threshold': SCORE,
            'threshold_source': TEXT_OR_NULL,
            'refiners': OBJECTS_OR_NULL,
            'scales': NUMBERS,
        },
    ),
    'summary': ({'name': TEXT, 'scores': OBJECTS, 'steps': OBJECTS}, {}),
    'summary score': (
        {'what': TEXT, 'protocol': TEXT},
        {
            'mIoU': SCORE,
            'per_class': BY_NAME,
            'metrics': BY_NAME,
            'details': OBJECT,
            'uses_ground_truth': FLAG,
        },
    ),
    'summary step': ({}, {'stage': TEXT_OR_NULL, 'command': TEXT_OR_NULL, 'seconds': SCORE}),
    'step': ({'command': TEXT}, {'seconds': SCORE}),
    'demo': (
        {
            'scores': OBJECTS,
            'coverage': OBJECT,
            'maps': OBJECT,
            'data': OBJECT,
            'classes': TEXTS,
            'picture': TEXTS,
            'version': TEXT,
            'seconds': SECONDS,
        },
        {},
    ),
    'demo score': (
        {
            'name': TEXT,
            'miou': SCORE,
            'split': TEXT,
            'images': COUNT,
            'threshold': TEXT,
            'views': TEXT,
            'uses_ground_truth': FLAG,
            'iou': BY_NAME,
        },
        {},
    ),
    'demo curve': ({'thresholds': NUMBERS, 'mIoU': CURVE, 'argmax_mIoU': SCORE}, {}),
    'demo coverage': ({'pooled': OBJECT}, {}),
    'demo data': ({'train': OBJECT}, {}),
    'demo split': ({'images': COUNT}, {}),
    'pooled': (dict.fromkeys(('part_recall', 'body_recall', 'precision'), SCORE), {}),
}


def load_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        ValueError: It is none.
        OSError: It cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'expected JSON, but got {type(error).__name__}: {error}') from error


def shown(value: Any) -> str:
    """A value in a message: its kind and how it begins."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    name = NAMES.get(type(value))
    name = f'the {name} ' if name and text not in ('NaN', 'Infinity', '-Infinity') else ''
    return name + (text if len(text) <= MAX_SHOWN else f'{text[:MAX_SHOWN]}...')


def check(content: Any, layout: str, place: str = '') -> None:
    """Compare an object with a layout; fields that it does not name are left alone.

    Args:
        content: What was read.
        layout: A key of ``LAYOUTS``.
        place: Put before the names of fields in messages.

    Raises:
        ValueError: Names the first field that does not fit, what was expected and what arrived.
    """
    if not isinstance(content, dict):
        raise ValueError(f'expected {place or "an object"}, but got {shown(content)}')
    required, optional = LAYOUTS[layout]
    for key, kind in {**required, **optional}.items():
        if key not in content:
            if key in required:
                raise ValueError(f'expected `{place}{key}`: {kind}, but it is missing')
        elif not TESTS[kind](content[key]):
            raise ValueError(f'expected `{place}{key}`: {kind}, but got {shown(content[key])}')


def check_each(items: Sequence[Any], layout: str) -> None:
    """:func:`check` each item."""
    for item in items:
        check(item, layout)


def check_eval(content: dict[str, Any]) -> None:
    """Check what ``eval_masks.py --json`` writes, by its ``what``.

    Raises:
        ValueError: See :func:`check`; or the curve has more points than thresholds, or fewer.
    """
    check(content, content['what'])
    manifest = content.get('manifest')
    if manifest is not None:
        check(manifest, 'manifest in a score', 'manifest.')
        check(manifest['settings'], 'settings')
    if content['what'] == 'class maps':
        check_curve(content)


def check_curve(content: dict[str, Any]) -> None:
    """A score for each threshold.

    Raises:
        ValueError: There are more, or fewer.
    """
    counts = len(content['thresholds']), len(content['mIoU'])
    if counts[0] != counts[1]:
        raise ValueError(
            'expected as many `thresholds` as `mIoU`, but got {} and {}'.format(*counts)
        )


def check_test(content: dict[str, Any]) -> None:
    """Check what MMEngine writes after a test, where NaN says "undefined"."""
    check(content, 'test')


def check_record_fields(content: dict[str, Any]) -> None:
    """Check the fields of a manifest that a report shows."""
    check(content, 'manifest')
    check(content['settings'], 'settings')


def check_summary(content: dict[str, Any]) -> None:
    """Check the ``summary.json`` of a pipeline."""
    check(content, 'summary')
    check_each(content['scores'], 'summary score')
    check_each(content['steps'], 'summary step')
    if not all(step.get('stage') or step.get('command') for step in content['steps']):
        raise ValueError('expected `stage` or `command` in each of `steps`, but one has neither')


def check_steps(content: Any) -> None:
    """Check the ``steps.json`` of a study."""
    if not TESTS[OBJECTS](content):
        raise ValueError(f'expected {OBJECTS}, but got {shown(content)}')
    check_each(content, 'step')


def check_demo(content: dict[str, Any]) -> None:
    """Check the ``report.json`` of the demo."""
    check(content, 'demo')
    check_each(content['scores'], 'demo score')
    for curve in content['maps'].values():
        check(curve, 'demo curve')
        check_curve(curve)
    for kind in content['coverage'].values():
        check(kind, 'demo coverage')
        check(kind['pooled'], 'pooled')
    check(content['data'], 'demo data')
    check(content['data']['train'], 'demo split')
