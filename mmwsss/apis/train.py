"""Training and testing from a loaded config: what ``tools/train.py`` and ``tools/test.py`` run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import LoggerHook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, find_latest_checkpoint
from mmseg.registry import RUNNERS
from torch import nn

from mmwsss.apis.image_list import split_name
from mmwsss.apis.stage import training_protocol
from mmwsss.engine.loops.multi_dataset_test_loop import test_sets
from mmwsss.evaluation.crf_evaluator import failed_images, uses_crf, with_crf
from mmwsss.io import IGNORE_INDEX, Protocol, Record, Recorder, Score, hash_file, make_record
from mmwsss.io.record import plain_values
from mmwsss.models.classifiers import ImageLevelClassifier
from mmwsss.utils.checkpoint import check_fit, guard_checkpoints, load_checkpoint_file
from mmwsss.utils.cli import default_workers, setup_launcher
from mmwsss.utils.nested import dicts_in

__all__ = [
    'build_runner',
    'default_work_dir',
    'enable_amp',
    'run_test',
    'run_training',
    'share_batch',
]


IMAGE_LABELS = 'image labels'


def default_work_dir(cfg: Config, config_path: str | Path, work_dir: str | None = None) -> str:
    """The command line's folder, else the config's, else ``work_dirs/<config name>``."""
    return work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(config_path).stem)


def enable_amp(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision with dynamic loss scaling.

    Raises:
        ValueError: The config uses another wrapper than ``OptimWrapper``.
    """
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper == 'AmpOptimWrapper':
        return
    if wrapper != 'OptimWrapper':
        raise ValueError(f"--amp needs optim_wrapper.type 'OptimWrapper', but got {wrapper!r}")
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def share_batch(cfg: Config) -> None:
    """Take ``train_dataloader.batch_size`` as that of all processes together, and share it out.

    The number of processes is the launcher's, from its environment variables.

    Raises:
        ValueError: The processes cannot share the batch evenly.
    """
    variables = {'pytorch': 'WORLD_SIZE', 'slurm': 'SLURM_NTASKS', 'mpi': 'OMPI_COMM_WORLD_SIZE'}
    ranks = int(os.environ.get(variables.get(cfg.get('launcher', 'none'), ''), '1'))
    batch_size = cfg.train_dataloader.batch_size
    if batch_size % ranks:
        raise ValueError(
            f'--share-batch: {ranks} processes cannot share a batch of {batch_size} images evenly'
        )
    cfg.train_dataloader.batch_size = batch_size // ranks


def prepare_cpu_ranks(cfg: Config) -> None:
    """Let several ranks run without an accelerator, which MMEngine's own set-up asks for."""
    if cfg.get('launcher', 'none') == 'none' or torch.cuda.is_available():
        return
    setup_launcher(cfg.launcher)
    if cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            device_ids=None,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )


def build_runner(cfg: Config, trust_checkpoint: bool = False, initial: bool = True) -> Runner:
    """Check the checkpoints that a run would load and build its runner."""
    guard_checkpoints(cfg, trust_checkpoint, initial)
    prepare_cpu_ranks(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    leave_scores_to_rank_0(runner)
    return runner


def leave_scores_to_rank_0(runner: Runner) -> None:
    """Let one process write the JSON of a test: MMEngine's hook lets all of them write that file at once."""
    if get_rank() == 0:
        return
    for hook in runner.hooks:
        if isinstance(hook, LoggerHook):
            hook.after_test_epoch = lambda *args, **kwargs: None


def run_training(cfg: Config, resume: bool = False, trust_checkpoint: bool = False) -> Runner:
    """Train the model of a config.

    Args:
        cfg: From :func:`mmwsss.utils.config.load_config`, with ``work_dir`` set.
        resume: Go on from the latest checkpoint in ``work_dir``, or from ``cfg.load_from``.
        trust_checkpoint: Allow checkpoints that hold more than tensors and plain data.

    Returns:
        The runner, for its model and logs.
    """
    cfg.resume = resume
    runner = build_runner(cfg, trust_checkpoint)
    recorder = Recorder(cfg.work_dir, training_record(cfg, runner)) if get_rank() == 0 else None
    runner.train()
    if recorder is not None:
        checkpoint = Path(find_latest_checkpoint(cfg.work_dir)).name
        recorder.finish(result={**recorder.record.result, 'checkpoint': checkpoint})
    return runner


def training_record(cfg: Config, runner: Runner) -> Record:
    """What a training is about to make; ``protocol`` is what its model's scores will inherit."""
    dataset = cfg.train_dataloader.dataset
    masks = 'pseudo masks' if dataset.get('pseudo_mask_dir') else 'true masks'
    is_localizer = isinstance(unwrapped(runner.model), ImageLevelClassifier)
    trained_on = IMAGE_LABELS if is_localizer else masks
    return make_record(
        'train',
        runner.train_dataloader.dataset.metainfo.get('classes', ()),
        split_name(dataset),
        config=str(cfg.filename or ''),
        config_text=cfg.pretty_text,
        protocol=Protocol(trained_on=trained_on, initial_weights=initial_weights(cfg)),
        result={'seed': runner.seed},
    )


def unwrapped(model: nn.Module) -> nn.Module:
    """A model without the wrapper of several processes."""
    return model.module if is_model_wrapper(model) else model


def initial_weights(cfg: Config) -> str:
    """Where the weights of a training come from, for people."""
    if cfg.get('load_from'):
        path = Path(cfg.load_from)
        return f'{path.parent.name}/{path.name}'
    stated = cfg.get('initial_weights')
    init = (cfg.model.get('backbone') or {}).get('init_cfg') or {}
    checkpoint = init.get('checkpoint') if isinstance(init, Mapping) else None
    if stated and checkpoint:
        return f'{stated} ({checkpoint})'
    return stated or checkpoint or 'scratch'


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
    scales = tta_scales(cfg) if tta else [1.0]
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
            config_text=cfg.pretty_text,
            inputs={'checkpoint': hash_file(checkpoint)},
        )
        recorder = Recorder(cfg.work_dir, record)
    metrics = runner.test()
    datasets = test_datasets(runner)
    scores = test_scores(metrics, protocol, datasets)
    if recorder is not None:
        folders = {} if out is None else {name: Path(out, name) for name in datasets}
        predictions = {
            scored_name(protocol, name): os.path.relpath(folder, cfg.work_dir)
            for name, folder in folders.items()
        }
        complete = not failed_images(metrics)
        recorder.finish(scores=scores, complete=complete, result={'predictions': predictions})
    if not any(score.protocol.crf for score in scores):
        print_log('these scores are without dense CRF', logger='current')
    return metrics


def tta_scales(cfg: Config) -> list[float]:
    """The scales of ``tta_pipeline``."""
    found = (node.get('scale_factor') for node in dicts_in(cfg.tta_pipeline))
    return sorted({float(scale) for scale in found if isinstance(scale, (int, float))})


def test_datasets(runner: Runner) -> dict[str, Any]:
    """The datasets of the test loop by name; a single one has none."""
    loops = getattr(runner.test_loop, 'parts', {'': runner.test_loop})
    return {name: loop.dataloader.dataset for name, loop in loops.items()}


def test_scores(
    metrics: Mapping[str, Any], protocol: Protocol, datasets: Mapping[str, Any]
) -> list[Score]:
    """What a test measured, by dataset, without and with dense CRF.

    Args:
        metrics: Percentages as the test loop returns them: ``mIoU``, or with the dataset or ``crf`` and
            ``no_crf`` in front, as in ``pascal_b/crf/mIoU``.
        protocol: Of the model.
        datasets: The datasets by name; a single one has no name.
    """
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, value in plain_values(metrics).items():
        *where, name = key.split('/')
        if value is None or isinstance(value, (int, float)):
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
    """Refuse ``--out`` for class ids that the files of mmseg's ``IoUMetric`` cannot hold.

    Raises:
        ValueError: There are more than 255 classes with background.
    """
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


def add_output(cfg: Config, out: str) -> None:
    """Make the config's ``IoUMetric`` write its predictions to a folder, one per named dataset."""
    for name, _, evaluators in test_sets(cfg):
        evaluators = evaluators['metrics'] if uses_crf(evaluators) else evaluators
        evaluators = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
        writers = [e for e in evaluators if e.get('type') == 'IoUMetric']
        if not writers:
            raise ValueError('--out needs an IoUMetric in test_evaluator to write the label maps')
        writers[0].update(output_dir=str(Path(out, name)))
