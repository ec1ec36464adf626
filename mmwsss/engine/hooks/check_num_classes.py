"""Refuse to start when a model head and the dataset disagree about the number of classes."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import HOOKS

from mmwsss.models.heads.base import BaseMapHead, check_own_background
from mmwsss.models.losses.size_balanced_cross_entropy import check_background_index
from mmwsss.utils.checkpoint import unwrapped
from mmwsss.utils.names import has_background

__all__ = ['CheckNumClassesHook']


@HOOKS.register_module()
class CheckNumClassesHook(Hook):
    """Compare the class count of every head with the class list of the dataset.

    The class list of a dataset names the background first, if there is one. A segmenter's head must have as
    many classes as the list, a localizer's head (``BaseMapHead``) as many as there are without background.
    One that knows a background is refused where there is none, as are losses whose size weights leave it out.
    Too many classes would train and score without a word; too few fail in the middle of the loss.
    Auxiliary heads and the heads of cascades are compared, too. A dataset without a class list
    cannot be compared and is left alone.

    The check runs before training, validation and testing, and costs nothing afterwards. It raises a
    ``ValueError`` that names head, dataset and both counts.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare the model with the training data, and with the validation data if there are any."""
        self._check(runner, 'train', runner.train_dataloader.dataset)
        check_background_index(unwrapped(runner.model), runner.train_dataloader.dataset)
        if runner.val_loop is not None:
            self._check(runner, 'val', runner.val_dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Compare the model with the validation data."""
        self._check(runner, 'val', runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Compare the model with the test data."""
        self._check(runner, 'test', runner.test_dataloader.dataset)

    def _check(self, runner: Runner, split: str, dataset: object) -> None:
        classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        if not classes:
            return
        for name, head in unwrapped(runner.model).named_modules():
            if not isinstance(head, (BaseDecodeHead, BaseMapHead)):
                continue
            is_map_head = isinstance(head, BaseMapHead)
            if is_map_head:
                check_own_background(head, classes)
            expected = len(classes) - (is_map_head and has_background(classes))
            if head.num_classes != expected:
                counted = 'without' if is_map_head else 'including'
                raise ValueError(
                    f'num_classes of {name} is {head.num_classes}, but the {split} dataset '
                    f'({type(dataset).__name__}) has {expected} classes {counted} background: '
                    f'{", ".join(classes)}. Set the num_classes of the head to {expected}, or '
                    'choose the dataset that the model is meant for.'
                )
