"""Testing on several datasets in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.runner import Runner, TestLoop
from mmengine.runner.base_loop import BaseLoop
from mmseg.registry import LOOPS

from mmwsss.io import write_json
from mmwsss.io.record import plain_values

__all__ = ['MultiDatasetTestLoop', 'test_sets']

REPORT = 'test_sets.json'


@LOOPS.register_module()
class MultiDatasetTestLoop(BaseLoop):
    """Test one model on several datasets with the same classes, one after the other.

    The first dataset is the config's ``test_dataloader`` with ``test_evaluator``. Scores have the name of
    their dataset in front, e.g. ``pascal_b/mIoU``. They are logged and kept like those of one dataset;
    ``test_sets.json`` beside the log holds them with the number of images, the list, the folders and the
    metrics they come from.

    Args:
        runner: The runner.
        dataloader: Loader of the first dataset, or its config.
        evaluator: Evaluator of the first dataset, or its config.
        name: Name of the first dataset.
        others: Dictionaries with ``name``, ``dataloader`` and ``evaluator``.
        fp16: Test in half precision.

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
        report: dict[str, dict[str, Any]] = {}
        for name, loop in self.parts.items():
            scores = self._test(loop)
            report[name] = {**self._protocol(loop), 'scores': scores}
            # Written after each: what stops the next dataset does not lose this one.
            if is_main_process():
                write_json(str(Path(self.runner.log_dir, REPORT)), plain_values(report))
            print_log(_line(name, report[name]), logger='current')
        metrics = {
            f'{name}/{key}': v for name, part in report.items() for key, v in part['scores'].items()
        }
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _protocol(self, loop: TestLoop) -> dict[str, Any]:
        """What was scored, from the dataset and the metrics, with which weights and views."""
        dataset = loop.dataloader.dataset
        return {
            'images': len(dataset),
            'dataset': type(dataset).__name__,
            'data_root': getattr(dataset, 'data_root', None),
            'ann_file': getattr(dataset, 'ann_file', None),
            'metrics': [type(metric).__name__ for metric in loop.evaluator.metrics],
            'checkpoint': self.runner.cfg.get('load_from'),
            'test_time_augmentation': isinstance(self.runner.model, BaseTTAModel),
        }

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


def _line(name: str, part: dict[str, Any]) -> str:
    scores = part['scores'].items()
    shown = ', '.join(f'{k} {v:.2f}' if isinstance(v, float) else f'{k} {v}' for k, v in scores)
    where = f'{part["images"]} images of {part["data_root"]}, list {part["ann_file"]}'
    return f'{name}: {shown} ({where})'
