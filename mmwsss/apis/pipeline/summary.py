"""The summary of a pipeline: every score with its protocol, times, paths; as JSON and as a page."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmwsss.apis.pipeline.spec import REFERENCE
from mmwsss.apis.steps import read_record as read_step
from mmwsss.evaluation.protocol import uses_ground_truth
from mmwsss.io import atomic_path, code_version, read_record, write_json

if TYPE_CHECKING:
    from mmwsss.apis.pipeline.engine import Pipeline
    from mmwsss.apis.pipeline.spec import Stage

__all__ = ['hardware', 'protocol_text', 'score_lines', 'score_of', 'write_summary']

SUMMARY = 'summary.json'
PAGE = 'summary.md'
USUAL = ('mIoU', 'aAcc', 'mAcc', 'data_time', 'time')
BEST_OF_SWEEP = 'best of a sweep, uses ground truth'


def write_summary(pipeline: Pipeline) -> dict[str, Any]:
    """Write ``summary.json`` and ``summary.md``, unless they say the same already.

    Returns:
        The content of ``summary.json``.
    """
    content = summarize(pipeline)
    path = pipeline.work_dir / SUMMARY
    old = read_step(path)
    if {**old, 'date': None} == {**content, 'date': None}:
        return old
    write_json(path, content)
    with atomic_path(pipeline.work_dir / PAGE) as temporary:
        temporary.write_text(page(content), encoding='utf-8')
    return content


def summarize(pipeline: Pipeline) -> dict[str, Any]:
    """What ``summary.json`` holds."""
    spec = pipeline.spec
    configs = {stage.name: stage.config for stage in spec.stages if stage.kind == 'train'}
    trained = list(dict.fromkeys(configs.values()))
    records = {stage.name: pipeline.record(stage.name) for stage in spec.stages}
    steps = [step(pipeline, name, found) for name, found in records.items() if found]
    seeds = {s.name: pipeline.config(s).get('randomness', {}).get('seed') for s in spec.stages}
    codes = [found['code'] for found in records.values() if found.get('code')]
    return {
        'name': spec.name,
        'pipeline': spec.path,
        'config': trained[0] if trained else None,
        'segmenter': trained[-1] if len(trained) > 1 else None,
        'configs': configs,
        'seed': next((seeds[name] for name in configs), None),
        'code': codes[0] if codes else code_version(),
        'date': date.today().isoformat(),
        'hardware': hardware(),
        'complete': all(found.get('complete') for found in records.values() if found),
        'steps': steps,
        'scores': [score for stage in spec.stages for score in scores(pipeline, stage)],
    }


def step(pipeline: Pipeline, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of ``steps``."""
    output = pipeline.output(name) if found.get('complete') else None
    return {
        'stage': name,
        'command': shlex.join(found.get('command', [])),
        'seconds': round(found.get('seconds', 0.0), 1),
        'code': found.get('code'),
        'complete': bool(found.get('complete')),
        'output': None if output is None else str(output),
    }


def hardware() -> str:
    """Number of cores and name of the processor."""
    model = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith('model name')]
        model = lines[0].split(':', 1)[1].strip() if lines else model
    return f'{os.cpu_count()} cores, {model}'


def score_of(miou: float, iou: Mapping[str, float | None]) -> dict[str, Any]:
    """A score in percent, rounded to hundredths."""
    per_class = {name: None if v is None else round(100 * v, 2) for name, v in iou.items()}
    return {'mIoU': round(100 * miou, 2), 'per_class': per_class}


def score_lines(pipeline: Pipeline, name: str) -> list[str]:
    """The scores of a stage, one line each."""
    return [
        f'{score["what"]}: {score["mIoU"]:.2f} mIoU ({score["protocol"]})'
        for score in scores(pipeline, pipeline.spec.stage(name))
        if 'mIoU' in score
    ]


def scores(pipeline: Pipeline, stage: Stage) -> Iterator[dict[str, Any]]:
    """The scores of a stage that has some, each with its protocol."""
    found = pipeline.record(stage.name)
    if not found.get('complete') or stage.kind not in ('score', 'test'):
        return
    result = found['result']
    origin = Origin(pipeline, stage)
    if stage.kind == 'test':
        yield test_score(origin, result)
    elif stage.arguments.get('maps'):
        yield from map_scores(origin, result)
    else:
        yield mask_score(origin, result)


class Origin:
    """Where a stage's input came from, for its protocol.

    Args:
        pipeline: The pipeline.
        stage: A stage of the kind ``score`` or ``test``.
    """

    def __init__(self, pipeline: Pipeline, stage: Stage) -> None:
        self.pipeline, self.stage = pipeline, stage

    def nearest(self, kind: str) -> Stage | None:
        """The nearest stage of a kind that this one builds on."""
        line, seen = [self.stage], set()
        while line:
            stage = line.pop(0)
            if stage.kind == kind:
                return stage
            new = [name for name in stage.needs if name not in seen]
            seen.update(new)
            line += [self.pipeline.spec.stage(name) for name in new]
        return None

    def manifest(self, kind: str) -> dict[str, Any]:
        """Settings in the manifest of the nearest stage of a kind; empty if there is none."""
        stage = self.nearest(kind)
        if stage is None:
            return {}
        try:
            return read_record(self.pipeline.folder(stage.name)).settings
        except (FileNotFoundError, ValueError):
            return {}

    def weights(self) -> str | None:
        """Initial weights of the nearest training; those of another stage are named by it."""
        stage = self.nearest('train')
        result = self.pipeline.record(stage.name).get('result') or {} if stage else {}
        said = result.get('initial_weights')
        return REFERENCE.sub(r'of the stage \1', said) if isinstance(said, str) else said

    def details(self, result: Mapping[str, Any], images: int, **more: Any) -> dict[str, Any]:
        """The protocol of class maps or of what was made from them."""
        settings = self.manifest('maps')
        return {
            'split': result['split'],
            'images': images,
            'scales': settings.get('scales'),
            'flip': settings.get('flip'),
            'crf': False,
            'threshold': None,
            'threshold_source': None,
            'uses_ground_truth': False,
            'image_labels_at_inference': settings.get('labels') == 'gt',
            'initial_weights': self.weights(),
            **more,
        }


def map_scores(origin: Origin, result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Class maps at the best of many thresholds, and without one where they have a background."""
    table = result['scores']
    best = origin.details(
        result,
        table['images'],
        threshold=table['best_threshold'],
        threshold_source=BEST_OF_SWEEP,
        uses_ground_truth=True,
    )
    found = score_of(table['best_mIoU'], table['best_IoU'])
    yield entry(origin, 'maps at best threshold', best, found)
    if table['argmax_mIoU'] is not None:
        rule = {'threshold_source': 'argmax with the own background'}
        found = score_of(table['argmax_mIoU'], table['argmax_IoU'])
        details = origin.details(result, table['images'], **rule)
        yield entry(origin, 'maps without threshold', details, found)


def mask_score(origin: Origin, result: Mapping[str, Any]) -> dict[str, Any]:
    """Masks as the chain of refiners made them."""
    table, settings = result['scores'], origin.manifest('masks')
    refiners = settings.get('refiners', [])
    threshold, source = settings.get('threshold'), settings.get('threshold_source')
    constants = [refiner.get('background_threshold') for refiner in refiners]
    if any(constants):  # that of a random walk
        threshold, source = next(filter(None, constants)), 'config'
    details = origin.details(
        result,
        table['images'],
        crf=has_crf(refiners),
        threshold=threshold,
        threshold_source=source,
        refiners=[refiner.get('type') for refiner in refiners],
        uses_ground_truth=uses_ground_truth([table, settings], source),
    )
    return entry(origin, 'masks', details, score_of(table['mIoU'], table['IoU']))


def test_score(origin: Origin, result: Mapping[str, Any]) -> dict[str, Any]:
    """A segmenter on its test split."""
    cfg = origin.pipeline.config(origin.stage)
    tta = bool(origin.stage.arguments.get('tta'))
    numbers = (item for item in result['scores'].items() if isinstance(item[1], (int, float)))
    metrics = {key: round(value, 4) for key, value in numbers}
    scales = sorted(set(scale_factors(cfg.get('tta_pipeline')))) if tta else [1.0]
    details = {
        'split': result['split'],
        'images': result['images'],
        'scales': scales,
        'flip': tta,
        'crf': has_crf([cfg.get('model'), cfg.get('test_evaluator')]),
        'threshold': None,
        'threshold_source': None,
        'uses_ground_truth': False,
        'image_labels_at_inference': False,
        'initial_weights': origin.weights(),
    }
    trained = origin.nearest('train')
    name = Path(origin.stage.config).stem if trained is None else Path(trained.config).stem
    miou = {'mIoU': round(metrics['mIoU'], 2)} if 'mIoU' in metrics else {}
    found = {**miou, 'metrics': metrics}
    return entry(origin, f'segmenter {name}', details, found)


def entry(
    origin: Origin, what: str, details: dict[str, Any], found: dict[str, Any]
) -> dict[str, Any]:
    """One entry of ``scores``; stages that are not the usual ones add their name."""
    name = origin.stage.name
    what = (
        what
        if name in ('maps_score', 'masks_score') or origin.stage.kind == 'test'
        else f'{what} ({name})'
    )
    return {
        'what': what,
        'stage': name,
        'protocol': protocol_text(details),
        'threshold': details['threshold'],
        'details': details,
        **found,
    }


def protocol_text(details: Mapping[str, Any]) -> str:
    """A protocol in one line."""
    parts = [f'{details["images"]} {details["split"]} images']
    scales = details.get('scales')
    if scales:
        views = ', '.join(f'{scale:g}' for scale in scales)
        parts.append(f'scales {views}' + (' with mirrors' if details.get('flip') else ''))
    chain = ' > '.join(details.get('refiners') or ())
    parts += [f'refiners {chain}'] if chain else []
    parts.append('CRF' if details['crf'] else 'no CRF')
    parts += (
        [threshold_text(details)] if 'refiners' in details or details['threshold_source'] else []
    )
    if not details['image_labels_at_inference']:
        parts.append('no image labels at inference')
    if details.get('initial_weights'):
        parts.append(f'initial weights {details["initial_weights"]}')
    if details['uses_ground_truth'] and not any('ground truth' in part for part in parts):
        parts.append('chosen on these masks: uses ground truth')
    return ', '.join(parts)


def threshold_text(details: Mapping[str, Any]) -> str:
    """The threshold and where it comes from."""
    threshold, source = details['threshold'], details['threshold_source']
    if threshold is None:
        return f'{source}, no threshold' if source else 'no threshold'
    if source == BEST_OF_SWEEP:
        return f'threshold {threshold:g}: {source}'
    return f'threshold {threshold:g} from: {source}'


def has_crf(node: Any) -> bool:
    """Whether a component below a node is a CRF by its type, or has a switch for one that is on."""
    if isinstance(node, Mapping):
        on = any('crf' in str(key).lower() and value for key, value in node.items())
        return on or 'CRF' in str(node.get('type', '')) or any(map(has_crf, node.values()))
    return isinstance(node, (list, tuple)) and any(map(has_crf, node))


def scale_factors(node: Any) -> Iterator[float]:
    """Every ``scale_factor`` below a node."""
    if isinstance(node, Mapping):
        if isinstance(node.get('scale_factor'), (int, float)):
            yield float(node['scale_factor'])
        for value in node.values():
            yield from scale_factors(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from scale_factors(value)


def percent_or_dash(score: Mapping[str, Any]) -> str:
    """The mIoU; a dash where the config's metrics give none."""
    return f'{score["mIoU"]:.2f}' if 'mIoU' in score else '-'


def other_scores(score: Mapping[str, Any]) -> str:
    """What a test's metrics gave beside mmseg's usual ones, as they gave it."""
    found = score.get('metrics') or {}
    return ', '.join(f'{key} {value:.2f}' for key, value in found.items() if key not in USUAL)


def page(content: Mapping[str, Any]) -> str:
    """The summary in Markdown."""
    rows = [
        f'| {s["what"]} | {percent_or_dash(s)} | {other_scores(s)} | {s["protocol"]} |'
        for s in content['scores']
        if 'mIoU' in s or other_scores(s)
    ]
    steps = [
        f'| {s["stage"]} | {s["seconds"]:.1f} | {"yes" if s["complete"] else "no"} | `{s["output"]}` |'
        for s in content['steps']
    ]
    total = sum(s['seconds'] for s in content['steps'])
    lines = [
        f'# {content["name"]}',
        '',
        f'Seed {content["seed"]}; {total / 60:.1f} minutes on {content["hardware"]}; code '
        f'{content["code"]}; {content["date"]}.',
        '',
        '| scored | mIoU % | others | protocol |',
        '|---|---|---|---|',
        *rows,
        '',
        '| stage | seconds | done | output |',
        '|---|---|---|---|',
        *steps,
        '',
        'Commands:',
        '',
        '```bash',
        *[s['command'] for s in content['steps']],
        '```',
    ]
    return '\n'.join(lines) + '\n'
