"""Testing a checkpoint by its config's test loop: what ``tools/test.py`` runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.logging import print_log

from mmwsss.engine.loops.multi_dataset_test_loop import test_sets
from mmwsss.evaluation.crf_evaluator import failed_images, uses_crf, with_crf
from mmwsss.io import IGNORE_INDEX, Protocol, Recorder, Score, hash_file, make_record, plain_values
from mmwsss.stages.output import training_protocol
from mmwsss.stages.train import IMAGE_LABELS, build_runner
from mmwsss.utils.checkpoint import check_fit, load_checkpoint_file
from mmwsss.utils.cli import default_workers
from mmwsss.utils.config import load_config
from mmwsss.utils.nested import dicts_in

__all__ = ['TEST_KEYS', 'run_test', 'use_test_config']

TEST_KEYS = ('test_dataloader', 'test_evaluator', 'test_cfg')


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

    Args:
        cfg: From :func:`mmwsss.utils.config.load_config`, with ``work_dir`` set.
        checkpoint: File to load.
        tta: Use ``cfg.tta_model`` and ``cfg.tta_pipeline`` (several scales and mirrors).
        out: Folder for the predicted label maps.
        trust_checkpoint: Allow checkpoints that hold more than tensors and plain data.
        crf: Score without and with DeepLabV2's dense CRF, see
            :class:`~mmwsss.evaluation.DenseCRFEvaluator`.

    Returns:
        The metrics.

    Raises:
        ValueError: The checkpoint does not fit the model, or ``tta`` is asked of a config without
            ``tta_model`` and ``tta_pipeline``, or ``out`` of more than 255 classes.
    """
    cfg.load_from = str(checkpoint)
    if tta:
        missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
        if missing:
            raise ValueError(f'--tta needs {missing} in the config, which it does not have')
        for _, loader, _ in test_sets(cfg):
            loader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = dict(**cfg.tta_model, module=cfg.model)
    found = [node.get('scale_factor') for node in dicts_in(cfg.tta_pipeline)] if tta else [1.0]
    scales = sorted({float(scale) for scale in found if isinstance(scale, (int, float))})
    protocol = replace(training_protocol(checkpoint), scales=scales, flip=tta, image_labels=False)
    if crf:
        add_crf(cfg)
    if out is not None:
        add_output(cfg, out)
    runner = build_runner(cfg, trust_checkpoint, initial=False)
    if out is not None:
        check_8_bit(runner.test_dataloader.dataset.metainfo['classes'])
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
    done = False
    try:
        metrics = runner.test()
        done = True
    finally:  # what stops the next dataset does not lose the scores of this one
        found = metrics if done else getattr(runner.test_loop, 'scores', {})
        scores = test_scores(found, protocol, {k: v.dataloader.dataset for k, v in loops.items()})
        if recorder is not None:
            folders = {} if out is None else {name: Path(out, name) for name in loops}
            predictions = {
                scored_name(protocol, name): os.path.relpath(folder, cfg.work_dir)
                for name, folder in folders.items()
            }
            complete = done and not failed_images(found)
            recorder.finish(scores=scores, complete=complete, result={'predictions': predictions})
    if not any(score.protocol.crf for score in scores):
        print_log('these scores are without dense CRF', logger='current')
    return metrics


def test_scores(
    metrics: Mapping[str, Any], protocol: Protocol, datasets: Mapping[str, Any]
) -> list[Score]:
    """What a test measured, by dataset, without and with dense CRF.

    ``metrics`` are percentages as the test loop returns them: ``mIoU``, or with the dataset or ``crf`` and
    ``no_crf`` in front, as in ``pascal_b/crf/mIoU``; a single dataset has no name.
    """
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, value in plain_values(metrics).items():
        *where, name = key.split('/')
        if name != 'best_threshold' and (value is None or isinstance(value, (int, float))):
            groups.setdefault(tuple(where), {})[name] = None if value is None else value / 100
    scores = []
    for where, values in groups.items():
        crf = where[-1:] == ('crf',)
        name = next((part for part in where if part in datasets), '')
        plain = groups.get((*where[:-1], 'no_crf'), {})
        kept = {key: value for key, value in values.items() if not crf or key in plain}
        dataset = datasets[name]
        split = Path(getattr(dataset, 'ann_file', '') or 'all').stem
        about = replace(protocol, split=split, images=len(dataset), crf=crf)
        scores.append(Score(scored_name(protocol, name), about, kept))
    return scores


def scored_name(protocol: Protocol, dataset: str) -> str:
    """What a test scores, with the name of the dataset if it has one."""
    what = 'localizer' if protocol.trained_on == IMAGE_LABELS else 'segmenter'
    return f'{what} on {dataset}' if dataset else what


def check_8_bit(classes: Sequence[str]) -> None:
    """Refuse ``--out`` for class ids that the files of mmseg's ``IoUMetric`` cannot hold."""
    if len(classes) > IGNORE_INDEX:
        raise ValueError(
            f'--out writes 8-bit masks, for at most {IGNORE_INDEX} classes with background, but the '
            f'dataset has {len(classes)}: test without --out'
        )


def add_crf(cfg: Config) -> None:
    """Put the dense CRF around the metrics of every test dataset."""
    workers = default_workers()
    cfg.test_evaluator = with_crf(cfg.test_evaluator, workers)
    for part in (cfg.get('test_cfg') or {}).get('others', []):
        part['evaluator'] = with_crf(part['evaluator'], workers)


def label_writers(evaluators: Any) -> list[dict[str, Any]]:
    """The metrics among a config's evaluators that can write label maps."""
    metrics = evaluators['metrics'] if uses_crf(evaluators) else evaluators
    metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    return [metric for metric in metrics if metric.get('type') == 'IoUMetric']


def add_output(cfg: Config, out: str) -> None:
    """Make the config's ``IoUMetric`` write its predictions to a folder, one per named dataset."""
    for name, _, evaluators in test_sets(cfg):
        writers = label_writers(evaluators)
        if not writers:
            raise ValueError('--out needs an IoUMetric in test_evaluator to write the label maps')
        writers[0].update(output_dir=str(Path(out, name)))
