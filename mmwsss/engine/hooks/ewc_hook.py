"""Training in two tasks with elastic weight consolidation in between."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_reduce, get_dist_info, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS, MODELS
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mmwsss.datasets.seeding import SeededItems
from mmwsss.engine.evaluating import evaluating
from mmwsss.functional.checks import check_range
from mmwsss.functional.ewc import (
    check_fisher_fits,
    ewc_penalty,
    mean_fisher,
    sum_squared_gradients,
)
from mmwsss.io import atomic_path
from mmwsss.models.losses.size_balanced_cross_entropy import check_background_index
from mmwsss.utils.checkpoint import load_checkpoint_file, unwrapped
from mmwsss.utils.names import check_known
from mmwsss.utils.processes import one_process

__all__ = ['EWCHook', 'load_fisher_file']

FORMAT = 'mmwsss-ewc-1'


@HOOKS.register_module()
class EWCHook(Hook):
    """Switch from task A to task B at an iteration and hold on to what task A needs.

    Task A is plain training. When ``task_b_begin`` iterations are done, the hook takes the parameters as
    anchors, estimates the diagonal Fisher information on the training images (or loads a stored one),
    replaces the losses named in ``task_b_loss``, and from then on adds
    ``loss_ewc = (lambda / 2) sum_i F_i (theta_i - theta*_i)^2`` to the losses.

    A forward hook of the model extends the loss dictionary, so that mixed precision, gradient accumulation
    and DDP treat the term like any other. Every checkpoint written in task B holds anchors and Fisher
    information (key ``ewc``; twice the size of the parameters); a run resumes in either task.

    The Fisher information is the mean over images of the squared gradient of the training loss of one
    image, the *mean* over pixels of the negative log-likelihood. Normalisation layers and dropout are in
    evaluation mode meanwhile. Parameters that are frozen in task A, or new, have no anchor and stay free;
    the log names them.

    Source: Mun et al., Small Objects Matters in Weakly-supervised Semantic Segmentation, WACV 2024
    (loss ``L_sb``); Kirkpatrick et al., PNAS 2017. The authors' released code averages the Fisher
    information exponentially and scales it to 0..1, and its penalty never acts; ours is Kirkpatrick's.

    Args:
        strength: ``lambda``, 0 or more. The default is the released code's.
        task_b_begin: Iterations of task A. 0: the run starts at task B. As many as the run has: only
            task A. With gradient accumulation a multiple of its count.
        task_b_loss: For each head (module name, e.g. ``'decode_head'``) the ``loss_decode`` config of
            task B. None: the losses stay.
        fisher_file: Take anchors and Fisher information from this file, written by ``save_fisher`` or a
            checkpoint of task B, instead of estimating them.
        save_fisher: Write them to this file, relative to the work directory.
        num_images: Estimate on this many images, evenly spaced. None: on all.
        fisher_dataset: Config of the dataset to estimate on. None: the training dataset with its
            pipeline, augmentations included.
        fisher_losses: Names of the entries of the loss dictionary that make up the log-likelihood.
            None: all.
        num_workers: Loading processes for the estimation.
        seed: Seed of augmentations during the estimation.

    Raises:
        ValueError: A number is out of range, task B would begin behind the run's last iteration, a name in
            ``task_b_loss`` is no head with a loss, or a resumed checkpoint or ``fisher_file`` does not fit.
    """

    # After hooks that change parameters between iterations, before the checkpoint is written.
    priority = 'NORMAL'

    def __init__(
        self,
        strength: float = 500.0,
        task_b_begin: int = 0,
        task_b_loss: Mapping[str, Any] | None = None,
        fisher_file: str | None = None,
        save_fisher: str | None = None,
        num_images: int | None = None,
        fisher_dataset: dict[str, Any] | None = None,
        fisher_losses: list[str] | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        if not isinstance(task_b_begin, int) or task_b_begin < 0:
            raise ValueError(f'task_b_begin must be an integer >= 0, but got {task_b_begin}')
        check_range('strength', strength, '[0, inf)')
        if num_images is not None:
            check_range('num_images', num_images, '[1, inf]')
        self.strength = strength
        self.task_b_begin = task_b_begin
        self.task_b_loss = dict(task_b_loss or {})
        self.fisher_file = fisher_file
        self.save_fisher = save_fisher
        self.num_images = num_images
        self.fisher_dataset = fisher_dataset
        self.fisher_losses = fisher_losses
        self.num_workers = num_workers
        self.seed = seed
        self._loaded: Any = None
        self._state: Any = None
        self._handle: Any = None
        self._new_losses: dict[str, nn.Module] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember what the checkpoint holds; :meth:`before_train` decides whether to use it."""
        self._loaded = checkpoint.get('ewc')

    def before_train(self, runner: Runner) -> None:
        """Check the configuration against the model and, in a run resumed in task B, go on there."""
        if self.task_b_begin > runner.max_iters:
            raise ValueError(
                f'task_b_begin must be at most the {runner.max_iters} iterations of the run, but is '
                f'{self.task_b_begin}'
            )
        model = unwrapped(runner.model)
        self._state = None
        self._new_losses = {}
        for name, cfg in self.task_b_loss.items():
            _head(model, name)  # refuses a name without loss
            several = isinstance(cfg, (list, tuple))
            losses = [MODELS.build(one) for one in (cfg if several else [cfg])]
            self._new_losses[name] = nn.ModuleList(losses) if several else losses[0]
            check_background_index(self._new_losses[name], runner.train_dataloader.dataset)
        if runner.iter == 0 or (self._loaded is None and runner.iter <= self.task_b_begin):
            self._check_task_b(model)
            return
        begun = (self._loaded or {}).get('task_b_begin')
        if begun != self.task_b_begin:
            now = f'at iteration {runner.iter} with task_b_begin={self.task_b_begin}'
            then = f'at {begun} (None: it is of a run without EWCHook)'
            raise ValueError(f'resumed {now}, but task B of the checkpoint began {then}')
        print_log(f'EWC: resume in task B at iteration {runner.iter}', logger='current')
        self._enter_task_b(model, self._loaded)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any | None = None
    ) -> None:
        """Begin task B when its iteration has come."""
        if self._state is None and runner.iter == self.task_b_begin:
            if self.fisher_file is None:
                state = self._estimate(runner)
            else:
                state = {**load_fisher_file(self.fisher_file), 'task_b_begin': self.task_b_begin}
            self._enter_task_b(unwrapped(runner.model), state)
            self._save(runner, state)
            # The log would show the last losses of task A for ever.
            logged = runner.message_hub.log_scalars
            for key in [key for key in logged if key.startswith('train/') and 'loss' in key]:
                del logged[key]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Refuse names of losses that the model does not have as soon as it has shown those of task A."""
        for name in self.fisher_losses or () if self._state is None else ():
            known = [key for key in outputs or {} if key != 'loss']  # that is the sum of all
            check_known('fisher_losses: loss', name, known)

    def after_train(self, runner: Runner) -> None:
        """Write the Fisher information of a run that ended with task A; unhook the model."""
        if self._state is None and self.save_fisher and runner.iter == self.task_b_begin:
            self._save(runner, self._estimate(runner))
        if self._handle is not None:
            self._handle.remove()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Put anchors and Fisher information into the checkpoint, on the CPU."""
        if self._state is not None:
            checkpoint['ewc'] = _moved(self._state, 'cpu')

    def _check_task_b(self, model: nn.Module) -> None:
        """Read now what task B begins with, which may be hours away."""
        if self.fisher_file is not None:
            state = load_fisher_file(self.fisher_file)
            check_fisher_fits(dict(model.named_parameters()), state['anchors'], state['fisher'])
        if self.fisher_dataset is not None:
            DATASETS.build(self.fisher_dataset)

    def _enter_task_b(self, model: nn.Module, state: dict[str, Any]) -> None:
        parameters = dict(model.named_parameters())
        new = check_fisher_fits(parameters, state['anchors'], state['fisher'])
        if new:
            print_log(
                f'EWC: {len(new)} trainable parameters have no anchor and are free: {", ".join(new)}',
                logger='current',
            )
        device = next(model.parameters()).device
        for name, loss in self._new_losses.items():
            _head(model, name).loss_decode = loss.to(device)
        self._state = _moved(state, device)
        self._handle = model.register_forward_hook(self._add_penalty, with_kwargs=True)
        print_log(
            f'EWC: task B, strength {self.strength:g}, Fisher information of '
            f'{state["num_images"]} images, penalty {self._penalty(model).item():g}',
            logger='current',
        )

    def _penalty(self, model: nn.Module) -> Tensor:
        trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
        anchors, fisher = self._state['anchors'], self._state['fisher']
        device = next(model.parameters()).device
        return ewc_penalty(trainable, anchors, fisher, self.strength).to(device)

    def _add_penalty(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> Any:
        """Extend the loss dictionary of a forward pass in mode ``'loss'``."""
        mode = kwargs.get('mode', args[2] if len(args) > 2 else None)
        if mode != 'loss' or not isinstance(output, dict):
            return output
        return {**output, 'loss_ewc': self._penalty(model)}

    def _estimate(self, runner: Runner) -> dict[str, Any]:
        """Estimate the Fisher information at the current parameters, all processes together."""
        model, start = unwrapped(runner.model), time.time()
        parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        dataset = runner.train_dataloader.dataset
        if self.fisher_dataset is not None:
            dataset = DATASETS.build(self.fisher_dataset)
        wanted = min(self.num_images or len(dataset), len(dataset))
        indices = np.linspace(0, len(dataset), wanted, endpoint=False).astype(int).tolist()
        rank, world_size = get_dist_info()
        items = SeededItems(dataset, indices[rank::world_size], self.seed)
        with one_process(), evaluating(model), torch.enable_grad():
            gradients = self._gradients(model, parameters, items)
            sums, count = sum_squared_gradients(gradients, parameters)
        total = torch.tensor(count, device=next(model.parameters()).device)
        for value in (total, *sums.values()):
            all_reduce(value)
        count = int(total)
        seconds = time.time() - start
        print_log(f'EWC: Fisher information of {count} images, {seconds:.1f} s', logger='current')
        return {
            'format': FORMAT,
            'task_b_begin': self.task_b_begin,
            'num_images': count,
            'anchors': {n: p.detach().clone() for n, p in parameters.items()},
            'fisher': mean_fisher(sums, count),
        }

    def _gradients(
        self, model: BaseModel, parameters: Mapping[str, Tensor], items: Dataset
    ) -> Iterator[dict[str, Tensor | None]]:
        loader = DataLoader(
            items,
            batch_size=1,
            num_workers=self.num_workers,
            collate_fn=pseudo_collate,
            generator=torch.Generator().manual_seed(self.seed),  # spares the global generator
        )
        for batch in loader:
            data = model.data_preprocessor(batch, True)
            losses = model._run_forward(data, mode='loss')
            names = losses if self.fisher_losses is None else self.fisher_losses
            for name in names:
                check_known('fisher_losses: loss', name, losses)
            loss, _ = model.parse_losses({name: losses[name] for name in names})
            gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            yield dict(zip(parameters, gradients))

    def _save(self, runner: Runner, state: dict[str, Any]) -> None:
        if self.save_fisher and is_main_process():
            path = Path(runner.work_dir, self.save_fisher)
            with atomic_path(path) as temporary:
                torch.save(_moved(state, 'cpu'), temporary)
            print_log(f'EWC: anchors and Fisher information written to {path}', logger='current')


def load_fisher_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read anchors and Fisher information in weights-only mode.

    Args:
        path: A file of ``save_fisher``, or a checkpoint of task B.

    Returns:
        ``anchors`` and ``fisher`` by parameter name, on the CPU, ``num_images`` and ``task_b_begin``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file holds no such data.
    """
    content = load_checkpoint_file(os.fspath(path))
    if isinstance(content, dict) and 'ewc' in content:
        content = content['ewc']
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise ValueError(f'{path} holds no Fisher information of the format {FORMAT!r}')
    return content


def _moved(state: Mapping[str, Any], device: torch.device | str) -> dict[str, Any]:
    tensors = {
        key: {name: value.detach().to(device) for name, value in state[key].items()}
        for key in ('anchors', 'fisher')
    }
    return {**state, **tensors}


def _head(model: nn.Module, name: str) -> nn.Module:
    heads = {n: module for n, module in model.named_modules() if hasattr(module, 'loss_decode')}
    check_known('task_b_loss: head', name, heads)
    return heads[name]
