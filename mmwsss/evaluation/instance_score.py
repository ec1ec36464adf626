"""IA-mIoU of a folder of masks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from mmwsss.evaluation.folder import PairScore
from mmwsss.evaluation.instances import open_instances
from mmwsss.functional.checks import check_range
from mmwsss.functional.ia_miou import InstanceRecords, ia_miou_from_records, instance_ious
from mmwsss.io import percent, read_json, require_file
from mmwsss.utils.names import has_background, name_some

__all__ = ['InstanceScore', 'read_category_map']

COMPONENTS = '8-connected components of the ground truth'
MEANS = {'': 'IA-mIoU', '_S': 'IA_S', '_M': 'IA_M', '_L': 'IA_L'}  # by suffix of the other keys
Finder = Callable[[str, tuple[int, int]], Any]


class InstanceScore(PairScore):
    """Instance-aware mIoU over all, small, medium and large instances.

    Args:
        classes: Class names, background first.
        instances: Folder of instance maps, or a COCO or LVIS JSON, or a function of image id and (H, W)
            that returns what :func:`mmwsss.functional.ia_miou.instance_ious` takes. None: the instances
            are the 8-connected components of each class of the ground truth.
        category_map: Category name of a JSON -> class name. None: equal names.
        ignore_index: Ground-truth pixels of this value do not count.
        tolerance: Share of an instance's pixels that may contradict the ground truth; see
            :func:`mmwsss.functional.ia_miou.instance_ious`.
        include_background: Average over the background too, scored per image; see there.

    Raises:
        FileNotFoundError: ``instances`` does not exist.
        ValueError: A JSON holds no category of ``classes``, these have no background, or ``tolerance`` is out
            of range.
    """

    metric_names = tuple(MEANS.values())

    def __init__(
        self,
        classes: Sequence[str],
        instances: str | os.PathLike[str] | Finder | None = None,
        category_map: Mapping[str, str] | None = None,
        ignore_index: int = 255,
        tolerance: float = 0.0,
        include_background: bool = False,
    ) -> None:
        check_range('tolerance', tolerance, '[0, 1]')
        if not has_background(classes):
            raise ValueError(
                'IA-mIoU is of objects before a background, but these classes have no background: '
                f'{name_some(classes)}'
            )
        self.classes, self.ignore_index = list(classes), ignore_index
        self.tolerance, self.include_background = tolerance, include_background
        self._find: Finder | None = None
        self.source = COMPONENTS
        if callable(instances):
            self._find, self.source = instances, 'given'
        elif instances is not None:
            self._find = open_instances(instances, classes, category_map)
            self.source = os.fspath(instances)
        self.records: list[InstanceRecords] = []

    def count(self, name: str, pred: NDArray[Any], gt: NDArray[Any]) -> InstanceRecords:
        """Return one record per instance of the image."""
        return instance_ious(
            pred,
            gt,
            None if self._find is None else self._find(name, gt.shape),
            len(self.classes),
            self.ignore_index,
            tolerance=self.tolerance,
            include_background=self.include_background,
        )

    def add(self, counts: InstanceRecords) -> None:
        """Keep the records: three numbers per instance."""
        self.records.append(counts)

    def result(self) -> dict[str, Any]:
        """Return the four means, scores and instances by size and class name, and what they mean."""
        scores = ia_miou_from_records(self.records, len(self.classes))
        result = {key: scores[key] for key in MEANS.values()}
        for suffix in MEANS:
            first = 0 if self.include_background and not suffix else 1
            for title, key in (('IA_per_class', 'per_class'), ('instances', 'num_per_class')):
                values = scores[f'{key}{suffix}'].tolist()
                result[f'{title}{suffix}'] = dict(zip(self.classes[first:], values[first:]))
        return {
            **result,
            'num_instances': scores['num_instances'],
            'instance_source': self.source,
            'instance_tolerance': self.tolerance,
            'IA_includes_background': self.include_background,
        }

    def notes(self) -> list[str]:
        """Whose instances the scores are of."""
        background = ['background as one more class in IA-mIoU'] * self.include_background
        return [f'instances: {self.source}', *background]

    def table(self) -> str:
        """Return what was scored and the table: percent and number of instances by class and size."""
        scores = ia_miou_from_records(self.records, len(self.classes))
        note = f', up to {self.tolerance:.0%} of one may contradict the mask' * bool(self.tolerance)
        background = 'one more class, once per image' if self.include_background else 'left out'
        width = max(len(name) for name in ('IA-mIoU', *self.classes))
        lines = [
            f'instances: {self.source}{note}',
            f'background in IA-mIoU: {background}',
            f'{"class":<{width}}{"all":>16}{"small":>16}{"medium":>16}{"large":>16}',
        ]
        for c, name in enumerate(self.classes):
            if scores['num_per_class'][c]:
                row = [(scores[f'per_class{s}'][c], scores[f'num_per_class{s}'][c]) for s in MEANS]
                lines.append(f'{name:<{width}}' + ''.join(_cell(*cell) for cell in row))
        row = [
            (scores[key], scores['num_instances'][key[3:] if s else 'all'])
            for s, key in MEANS.items()
        ]
        return '\n'.join([*lines, f'{"IA-mIoU":<{width}}' + ''.join(_cell(*cell) for cell in row)])


def _cell(score: float, count: int) -> str:
    return f'{percent(score):>8} {f"({count})":<7}'


def read_category_map(
    path: str | os.PathLike[str] | None, classes: Sequence[str]
) -> dict[str, str] | None:
    """Read which category of a COCO or LVIS file is which class.

    Args:
        path: A JSON object {category name: class name}, or None.
        classes: Class names, background first.

    Returns:
        The map. With ``path=None``: equal names, and for PASCAL VOC's classes also the names of COCO
        and LVIS in the category table of PASCAL-B.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is no such object.
    """
    from mmwsss.datasets.pascal_b_builder import read_category_table
    from mmwsss.datasets.voc import VOC12WSSSDataset

    if path is not None:
        names = read_json(require_file('category map', path))
        if not isinstance(names, dict) or not all(isinstance(v, str) for v in names.values()):
            raise ValueError(f'{path} must be a JSON object of category name: class name')
        return names
    if tuple(classes) != VOC12WSSSDataset.METAINFO['classes']:
        return None
    table = read_category_table()
    return {**table['lvis'], **table['coco'], **{name: name for name in classes[1:]}}
