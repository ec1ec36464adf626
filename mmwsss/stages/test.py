"""Testing a checkpoint by its config's test loop: what ``tools/test.py`` runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.logging import print_log
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import MODELS

from mmwsss.engine.loops.multi_dataset_test_loop import test_sets
from mmwsss.evaluation.crf_evaluator import failed_images, with_crf
from mmwsss.io import Protocol, Recorder, Score, hash_file, make_record, plain_values
from mmwsss.io.record import ARGMAX, BEST_OF_SWEEP
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.stages.image_list import parts_of
from mmwsss.stages.load import lower_precision
from mmwsss.stages.maps import map_protocol
from mmwsss.stages.output import segmenter_protocol
from mmwsss.stages.train import build_runner
from mmwsss.utils.checkpoint import check_fit, load_checkpoint_file, unwrapped
from mmwsss.utils.cli import default_workers
from mmwsss.utils.config import load_config
from mmwsss.utils.nested import dicts_in

__all__ = ['TEST_KEYS', 'predicts_masks', 'run_test', 'use_test_config']

TEST_KEYS = ('test_dataloader', 'test_evaluator', 'test_cfg')
TRAINING_KEYS = ('train_dataloader', 'optim_wrapper', 'val_dataloader', 'val_cfg', 'val_evaluator')


def use_test_config(cfg: Config, path: str | Path, options: dict[str, Any] | None = None) -> None:
    """Take what a config tests on from another file.

    Args:
        cfg: The config to change.
        path: File with ``test_dataloader``, ``test_evaluator`` and ``test_cfg``.
        options: Options for that file, as of ``--cfg-options``.

    Raises:
        ValueError: The file lacks one of the three.
    """
    other = load_config(path, options)
    missing = [key for key in TEST_KEYS if key not in other]
    if missing:
        raise ValueError(f'{path} must have {list(TEST_KEYS)} to test with, but lacks {missing}')
    for key in TEST_KEYS:
        cfg[key] = other[key]


def run_test(
    cfg: Config,
    checkpoint: str | Path,
    tta: bool = False,
    out: str | None = None,
    trust_checkpoint: bool = False,
    crf: bool = False,
) -> dict[str, Any]:
    """Score a checkpoint with the config's test loop.

    A segmenter predicts a test dataset without masks (no ``data_prefix.seg_map_path``) and scores nothing.

    Args:
        cfg: From :func:`mmwsss.utils.config.load_config`, with ``work_dir`` set.
        checkpoint: File to load.
        tta: Use ``cfg.tta_model`` and ``cfg.tta_pipeline`` (several scales and mirrors).
        out: Folder for a segmenter's masks, see :class:`~mmwsss.evaluation.metrics.MaskWriter`.
        trust_checkpoint: Allow checkpoints that hold more than tensors and plain data.
        crf: Score without and with DeepLabV2's dense CRF, see
            :class:`~mmwsss.evaluation.DenseCRFEvaluator`.

    Returns:
        The metrics.

    Raises:
        ValueError: The checkpoint does not fit the model, or ``tta`` is asked of a config without
            ``tta_model`` and ``tta_pipeline``, or ``out`` of a localizer, or nothing of a test dataset
            without masks.
    """
    cfg.load_from = str(checkpoint)
    test_cfg = cfg.get('model', {}).get('test_cfg')
    if tta:
        missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
        if missing:
            raise ValueError(f'--tta needs {missing} in the config, which it does not have')
        for _, loader, _ in test_sets(cfg):
            for part in parts_of(loader.dataset):
                part['pipeline'] = cfg.tta_pipeline
        cfg.model = dict(**cfg.tta_model, module=cfg.model)
    prepare_output(cfg, out)
    if not cfg.get('train_cfg'):  # CLIP-ES: MMEngine refuses a part of what a training needs
        cfg.update({**dict.fromkeys(TRAINING_KEYS), 'test_cfg': cfg.get('test_cfg', {})})
    if crf:
        add_crf(cfg)
    runner = build_runner(cfg, trust_checkpoint, initial=False)
    model = unwrapped(runner.model)
    if isinstance(model, ImageLevelClassifier):
        protocol, what = map_protocol(model, '', checkpoint), 'localizer'
    else:
        views = tta_views(cfg.tta_pipeline) if tta else {}
        protocol, what = segmenter_protocol(checkpoint, test_cfg, **views), 'segmenter'
    lower_precision(runner.model)
    if not trust_checkpoint:
        check_fit(runner.model, load_checkpoint_file(checkpoint, mmap=True), checkpoint)
    recorder = None
    if get_rank() == 0:
        record = make_record(
            'test',
            runner.test_dataloader.dataset.metainfo.get('classes', ()),
            config=str(cfg.filename or ''),
            config_text=str(cfg.to_dict()),
            inputs={'checkpoint': hash_file(checkpoint)},
        )
        recorder = Recorder(cfg.work_dir, record)
    loops = getattr(runner.test_loop, 'parts', {'': runner.test_loop})
    metrics: dict[str, Any] | None = None
    try:
        metrics = runner.test()
    finally:  # what stops the next dataset does not lose the scores of this one
        found = getattr(runner.test_loop, 'scores', {}) if metrics is None else metrics
        datasets = {name: loop.dataloader.dataset for name, loop in loops.items()}
        scores = test_scores(found, protocol, datasets, test_notes(loops), what)
        if recorder is not None:
            folders = {} if out is None else {name: Path(out, name) for name in loops}
            predictions = {
                scored_name(what, name): os.path.relpath(folder, cfg.work_dir)
                for name, folder in folders.items()
            }
            complete = metrics is not None and not failed_images(found)
            recorder.finish(scores=scores, complete=complete, result={'predictions': predictions})
    if what == 'segmenter' and scores and not any(score.protocol.crf for score in scores):
        print_log('these scores are without dense CRF', logger='current')
    return metrics


def tta_views(pipeline: Any) -> dict[str, Any]:
    """``scales`` and ``flip`` of a test-time augmentation."""
    steps = [*dicts_in(pipeline)]
    factors = [step.get('scale_factor') for step in steps]
    scales = sorted({float(scale) for scale in factors if isinstance(scale, (int, float))})
    flip = any(
        str(step.get('type')).endswith('RandomFlip') and bool(step.get('prob')) for step in steps
    )
    return dict(scales=scales, flip=flip)


def test_scores(
    metrics: Mapping[str, Any],
    protocol: Protocol,
    datasets: Mapping[str, Any],
    notes: Mapping[tuple[str, str], Sequence[str]],
    what: str,
) -> list[Score]:
    """What a test of ``what`` measured, by dataset, without and with dense CRF.

    ``metrics`` are percentages as the test loop returns them: ``mIoU``, or with the dataset or ``crf`` and
    ``no_crf`` in front, as in ``pascal_b/crf/mIoU``; a single dataset has no name. ``notes`` are those of
    :func:`test_notes`.
    """
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, value in plain_values(metrics).items():
        *where, name = key.split('/')
        if value is None or isinstance(value, (int, float)):
            share = value if value is None or name == 'best_threshold' else value / 100
            groups.setdefault(tuple(where), {})[name] = share
    scores = []
    for where, values in groups.items():
        crf = where[-1:] == ('crf',)
        name = next((part for part in where if part in datasets), '')
        plain = groups.get((*where[:-1], 'no_crf'), {})
        kept = {key: value for key, value in values.items() if not crf or key in plain}
        dataset = datasets[name]
        split = Path(getattr(dataset, 'ann_file', '') or 'all').stem
        about = replace(protocol, split=split, images=len(dataset), crf=crf)
        kind = where[-1] if where[-1:] in (('crf',), ('no_crf',)) else ''
        about = replace(about, notes=[*about.notes, *notes.get((name, kind), [])])
        if 'mIoU_best' in kept:
            scores += map_scores(kept, about, name)
        else:
            about = replace(about, image_labels=False)
            scores.append(Score(scored_name(what, name), about, kept))
    return scores


def map_scores(values: Mapping[str, Any], protocol: Protocol, dataset: str) -> list[Score]:
    """The scores of ``MapIoUMetric``, named and stated as those of a folder of maps."""
    swept = replace(
        protocol,
        threshold=values['best_threshold'],
        threshold_source=BEST_OF_SWEEP,
        uses_ground_truth=True,
    )
    found = {'maps at best threshold': (swept, 'mIoU_best')}
    if 'mIoU_argmax' in values:
        rule = replace(protocol, threshold_source=ARGMAX)
        found['maps without threshold'] = (rule, 'mIoU_argmax')
    return [
        Score(scored_name(what, dataset), about, {'mIoU': values[key]})
        for what, (about, key) in found.items()
    ]


def test_notes(loops: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """What the metrics of each dataset have to say: by its name and ``'crf'``, ``'no_crf'`` or nothing."""
    found = {}
    for name, loop in loops.items():
        plain = getattr(loop.evaluator, 'without', None)
        kinds = {'': loop.evaluator} if plain is None else {'crf': loop.evaluator, 'no_crf': plain}
        for kind, evaluator in kinds.items():
            notes = [note for metric in evaluator.metrics for note in getattr(metric, 'notes', ())]
            found[name, kind] = notes
    return found


def scored_name(what: str, dataset: str) -> str:
    """What a test scores, with the name of the dataset if it has one."""
    return f'{what} on {dataset}' if dataset else what


def prepare_output(cfg: Config, out: str | None) -> None:
    """Set up what a segmenter's test writes, and that it scores only where there are masks."""
    if not predicts_masks(cfg):
        if out is not None:
            raise ValueError(
                f'--out writes the masks of a segmenter, but the config builds a {cfg.model.type}; '
                'tools/predict.py writes those of a localizer'
            )
        return
    bare = leave_scores_out(cfg)
    if bare and out is None:
        raise ValueError(
            f'test dataset {bare[0]!r} has no masks (data_prefix.seg_map_path) to score against; '
            '--out DIR predicts it'
        )
    if out is not None:
        add_output(cfg, out)


def add_crf(cfg: Config) -> None:
    """Put the dense CRF around the metrics of every test dataset."""
    workers = default_workers()
    change_evaluators(cfg, lambda name, loader, evaluator: with_crf(evaluator, workers))


def add_output(cfg: Config, out: str) -> None:
    """Write the predicted masks to a folder, one per named dataset, beside what the config scores."""

    def with_writer(name: str, loader: Any, evaluator: Any) -> Any:
        prefix = next(parts_of(loader.dataset))
        root = (
            prefix.get('data_root') or '',
            (prefix.get('data_prefix') or {}).get('img_path') or '',
        )
        writer = dict(type='MaskWriter', out=str(Path(out, name)), image_root=os.path.join(*root))
        if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
            return {**evaluator, 'metrics': [*as_list(evaluator['metrics']), writer]}
        return [*as_list(evaluator), writer]

    change_evaluators(cfg, with_writer)


def leave_scores_out(cfg: Config) -> list[str]:
    """Let the test of datasets that have no masks predict alone; returns the names of these datasets."""
    bare = [name for name, loader, _ in test_sets(cfg) if not has_masks(loader.dataset)]
    for name, loader, _ in test_sets(cfg):
        for part in parts_of(loader.dataset) if name in bare else ():
            part['pipeline'] = without_masks(part['pipeline'])
    change_evaluators(cfg, lambda name, loader, evaluator: [] if name in bare else evaluator)
    return bare


def has_masks(dataset: Mapping[str, Any]) -> bool:
    """Whether a dataset's config names a folder of masks."""
    parts = parts_of(dataset)
    return all((part.get('data_prefix') or {}).get('seg_map_path') for part in parts)


def without_masks(node: Any) -> Any:
    """A pipeline, with the views of ``TestTimeAug``, without the steps that load masks."""
    if isinstance(node, Mapping):
        return {key: without_masks(value) for key, value in node.items()}
    if not isinstance(node, (list, tuple)):
        return node
    loaders = ('LoadMask', 'LoadAnnotations')
    kept = [
        step for step in node if not (isinstance(step, Mapping) and step.get('type') in loaders)
    ]
    return [step for step in map(without_masks, kept) if step != []]


def change_evaluators(cfg: Config, change: Callable[[str, Any, Any], Any]) -> None:
    """Replace the evaluator of each test dataset by what ``change(name, loader, evaluator)`` returns."""
    changed = [change(*found) for found in test_sets(cfg)]
    cfg.test_evaluator = changed[0]
    for part, evaluator in zip((cfg.get('test_cfg') or {}).get('others', []), changed[1:]):
        part['evaluator'] = evaluator


def as_list(metrics: Any) -> list[Any]:
    """One metric's config, several or none, as a list."""
    return list(metrics) if isinstance(metrics, (list, tuple)) else [metrics] if metrics else []


def predicts_masks(cfg: Config) -> bool:
    """Whether the model of a config is a segmenter, whose masks can be written."""
    model = cfg.model.get('module', cfg.model)  # of test-time augmentation
    return issubclass(MODELS.get(model.type), BaseSegmentor)
