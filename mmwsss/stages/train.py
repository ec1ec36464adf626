"""Training from a loaded config: what ``tools/train.py`` runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.device import get_device
from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.registry import MODELS, RUNNERS

from mmwsss.io import Protocol, Record, Recorder, make_record
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.stages.image_list import parts_of, split_name
from mmwsss.utils.checkpoint import (
    guard_checkpoints,
    latest_checkpoint,
    load_checkpoint_file,
    unwrapped,
)
from mmwsss.utils.cli import setup_launcher

__all__ = [
    'build_runner',
    'check_trains',
    'default_work_dir',
    'enable_amp',
    'run_training',
    'share_batch',
]


IMAGE_LABELS = 'image labels'


def default_work_dir(cfg: Config, config_path: str | Path, work_dir: str | None = None) -> str:
    """The command line's folder, else the config's, else ``work_dirs/<config name>``."""
    return work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(config_path).stem)


def check_trains(cfg: Config) -> None:
    """Refuse the config of a model that is not trained.

    Raises:
        ValueError: It has no ``train_cfg``; the message says where the model's weights come from.
    """
    if not cfg.get('train_cfg'):
        model = MODELS.get(cfg.model.type)
        source = getattr(model, 'weights_source', '')
        raise ValueError(f'this config trains nothing: it has no train_cfg. {source}'.rstrip())


def enable_amp(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision with dynamic loss scaling.

    Raises:
        ValueError: The config uses another wrapper than ``OptimWrapper``, or there is no GPU.
    """
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper == 'AmpOptimWrapper':
        return
    if wrapper != 'OptimWrapper':
        raise ValueError(f"--amp needs optim_wrapper.type 'OptimWrapper', but got {wrapper!r}")
    if get_device() not in ('cuda', 'npu', 'mlu', 'musa'):
        raise ValueError('--amp is for GPUs; on a CPU, optim_wrapper.type=BFloat16OptimWrapper')
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
    if cfg.get('launcher', 'none') == 'none' or get_device() != 'cpu':
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
    for hook in runner.hooks if get_rank() else ():
        if isinstance(hook, LoggerHook):  # MMEngine lets all ranks write the JSON of a test at once
            hook.after_test_epoch = lambda *args, **kwargs: None
    return runner


def check_loop(cfg: Config, runner: Runner) -> None:
    """Refuse epochs that never end or are empty, and warn of checkpoints from which no run goes on exactly.

    Raises:
        ValueError: A loop over epochs has a sampler that goes on forever, or no whole batch.
    """
    loop, by_epoch = runner.train_loop, isinstance(runner.train_loop, EpochBasedTrainLoop)
    sampler = loop.dataloader.sampler
    if by_epoch and (isinstance(sampler, InfiniteSampler) or getattr(sampler, 'infinite', False)):
        raise ValueError(
            f'{type(loop).__name__} needs a sampler whose epochs end, but the {type(sampler).__name__} of '
            'train_dataloader is infinite; set sampler.infinite=False, or use IterBasedTrainLoop'
        )
    if by_epoch and not len(loop.dataloader):
        raise ValueError(
            f'{len(sampler)} images of an epoch and process fill no batch of '
            f'{loop.dataloader.batch_size}, which train_dataloader.drop_last=True leaves out'
        )
    together = cfg.optim_wrapper.get('accumulative_counts', 1)
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        every = hook.interval * len(loop.dataloader) if hook.by_epoch else hook.interval
        doubt = ''
        if by_epoch and not hook.by_epoch:
            doubt = 'within epochs (checkpoint.by_epoch=False), which resuming begins anew'
        elif every > 0 and every % together:
            doubt = f'every {every} iterations, while gradients of {together} are added up and not saved'
        if doubt:
            print_log(
                f'checkpoints are saved {doubt}: a resumed run will differ from one left alone',
                logger='current',
                level=logging.WARNING,
            )


def run_training(cfg: Config, resume: bool = False, trust_checkpoint: bool = False) -> Runner:
    """Train the model of a config.

    Args:
        cfg: From :func:`mmwsss.utils.config.load_config`, with ``work_dir`` set.
        resume: Go on from the latest checkpoint in ``work_dir``; without one, or if it is one of that folder,
            from ``cfg.load_from``.
        trust_checkpoint: Allow checkpoints that hold more than tensors and plain data.

    Returns:
        The runner, for its model and logs.

    Raises:
        ValueError: See :func:`check_loop`; or ``cfg.load_from``, resumed, is at the end of the run already.
    """
    weights, latest = initial_weights(cfg), latest_checkpoint(cfg.work_dir)
    cfg.resume = resume
    if resume and latest:
        begins = Path(cfg.get('load_from') or '/')  # MMEngine would begin there again
        if begins.resolve().parent != latest.resolve().parent:
            cfg.load_from = str(latest)
    runner = build_runner(cfg, trust_checkpoint)
    check_loop(cfg, runner)
    if resume and latest is None and Path(cfg.get('load_from') or '').is_file():
        content = load_checkpoint_file(cfg.load_from, trust=trust_checkpoint, mmap=True)
        done = (content.get('meta') or {}).get('iter', 0)
        if done >= runner.max_iters:
            raise ValueError(
                f'nothing is left to train: {cfg.load_from} is at iteration {done}, and the run ends at '
                f'{runner.max_iters}; leave --resume out to begin with its weights'
            )
    recorder = None
    if get_rank() == 0:
        recorder = Recorder(cfg.work_dir, training_record(cfg, runner, weights))
    runner.train()
    if recorder is not None:
        latest = latest_checkpoint(cfg.work_dir)
        checkpoint = latest.name if latest else ''
        recorder.finish(result={**recorder.record.result, 'checkpoint': checkpoint})
    return runner


def training_record(cfg: Config, runner: Runner, weights: str) -> Record:
    """What a training is about to make; ``protocol`` is what its model's scores will inherit."""
    dataset = cfg.train_dataloader.dataset
    is_pseudo = any(part.get('pseudo_mask_dir') for part in parts_of(dataset))
    masks = 'pseudo masks' if is_pseudo else 'true masks'
    model = unwrapped(runner.model)
    usual = IMAGE_LABELS if isinstance(model, ImageLevelClassifier) else masks
    trained_on = getattr(model, 'trained_on', usual)
    return make_record(
        'train',
        runner.train_dataloader.dataset.metainfo.get('classes', ()),
        split_name(dataset),
        config=str(cfg.filename or ''),
        config_text=str(cfg.to_dict()),
        protocol=Protocol(trained_on=trained_on, initial_weights=weights),
        result={'seed': runner.seed},
    )


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
