"""Testing on several datasets in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import Runner, TestLoop
from mmengine.runner.base_loop import BaseLoop
from mmseg.registry import LOOPS

__all__ = ['MultiDatasetTestLoop', 'test_sets']


@LOOPS.register_module()
class MultiDatasetTestLoop(BaseLoop):
    """Test one model on several datasets with the same classes, one after the other.

    The first dataset is the config's ``test_dataloader`` with ``test_evaluator``. Scores have the name of
    their dataset in front, e.g. ``pascal_b/mIoU``. They are logged and kept like those of one dataset.

    Args:
        runner: The runner.
        dataloader: Loader of the first dataset, or its config.
        evaluator: Evaluator of the first dataset, or its config.
        name: Name of the first dataset.
        others: Dictionaries with ``name``, ``dataloader`` and ``evaluator``.
        fp16: Test in half precision.

    Attributes:
        parts: The loop of each dataset by name.
        scores: Of the datasets that are done, as :meth:`run` returns them.

    Raises:
        ValueError: An entry of ``others`` has other keys, a name occurs twice or holds a ``/``, or
            datasets differ in their classes.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: Any,
        evaluator: Any,
        name: str = 'test',
        others: Sequence[Mapping[str, Any]] = (),
        fp16: bool = False,
    ) -> None:
        self.parts: dict[str, TestLoop] = {}
        self.scores: dict[str, float] = {}
        first = dict(name=name, dataloader=dataloader, evaluator=evaluator)
        for part in (first, *others):
            own = part.get('name', '')
            if part.keys() != first.keys() or own in ('', *self.parts) or '/' in own:
                raise ValueError(
                    f'an entry of others must have the keys {sorted(first)} and a name of its own '
                    f'without "/", but got the keys {sorted(part)} and {own!r}'
                )
            loop = TestLoop(runner, part['dataloader'], part['evaluator'], fp16)
            self.parts[own] = loop
        metainfo = {key: loop.dataloader.dataset.metainfo for key, loop in self.parts.items()}
        classes = {key: tuple(info['classes']) for key, info in metainfo.items()}
        if len(set(classes.values())) > 1:
            raise ValueError(f'test datasets must have the same classes, but have {classes}')
        super().__init__(runner, self.parts[name].dataloader)
        self.evaluator = self.parts[name].evaluator

    def run(self) -> dict[str, float]:
        """Test on all datasets.

        Returns:
            The scores, as ``<name of the dataset>/<score>``.
        """
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        self.scores = {}
        for name, loop in self.parts.items():
            scores = self._test(loop)
            self.scores.update({f'{name}/{key}': value for key, value in scores.items()})
            print_log(_line(name, loop.dataloader.dataset, scores), logger='current')
        self.runner.call_hook('after_test_epoch', metrics=self.scores)
        self.runner.call_hook('after_test')
        return self.scores

    def _test(self, loop: TestLoop) -> dict[str, Any]:
        # Hooks ask the runner, and so this loop, for the loader and the evaluator.
        self.dataloader, self.evaluator = loop.dataloader, loop.evaluator
        self.runner.visualizer.dataset_meta = loop.dataloader.dataset.metainfo
        for idx, data_batch in enumerate(loop.dataloader):
            loop.run_iter(idx, data_batch)
        return loop.evaluator.evaluate(len(loop.dataloader.dataset))


def test_sets(cfg: Any) -> list[tuple[str, Any, Any]]:
    """List the datasets that a config tests on.

    Args:
        cfg: A config with ``test_dataloader`` and ``test_evaluator``.

    Returns:
        (name, dataloader config, evaluator config) of each; one without name if the config uses another
        loop than :class:`MultiDatasetTestLoop`.
    """
    loop = cfg.get('test_cfg') or {}
    found = [(loop.get('name', ''), cfg.test_dataloader, cfg.get('test_evaluator'))]
    others = loop.get('others', [])
    return [*found, *((part['name'], part['dataloader'], part['evaluator']) for part in others)]


def _line(name: str, dataset: Any, scores: Mapping[str, Any]) -> str:
    shown = ', '.join(
        f'{k} {v:.2f}' if isinstance(v, float) else f'{k} {v}' for k, v in scores.items()
    )
    where = f'{getattr(dataset, "data_root", None)}, list {getattr(dataset, "ann_file", None)}'
    return f'{name}: {shown} ({len(dataset)} images of {where})'
