"""Which images a dataset of a config has, be it one dataset, several as one, or a wrapped one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmseg.registry import DATASETS

from mmwsss.datasets.splits import read_subset
from mmwsss.utils.names import name_some

__all__ = ['Images', 'images_only', 'map_pipeline', 'split_name']


def parts_of(dataset: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the datasets below a config that name images themselves."""
    if 'datasets' in dataset:
        for part in dataset['datasets']:
            yield from parts_of(part)
    elif 'dataset' in dataset:
        yield from parts_of(dataset['dataset'])
    else:
        yield dataset


def split_name(dataset: Mapping[str, Any]) -> str:
    """Name of the split: of the list, or ``'all'``; of several datasets all names, as ``'train+val'``."""
    return '+'.join(Path(part.get('ann_file') or 'all').stem for part in parts_of(dataset))


def map_pipeline(dataset: Mapping[str, Any]) -> Any:
    """The pipeline of a dataset, or those of several."""
    pipelines = [part.get('pipeline') for part in parts_of(dataset)]
    return pipelines[0] if len(pipelines) == 1 else pipelines


def images_only(dataset: Mapping[str, Any], masks: bool = False) -> dict[str, Any]:
    """A dataset's config without pipeline, without what pairs or repeats its images, and without masks.

    Args:
        dataset: The config.
        masks: Keep the masks.
    """
    if 'datasets' in dataset:
        return {**dataset, 'datasets': [images_only(part, masks) for part in dataset['datasets']]}
    if 'dataset' in dataset:
        return images_only(dataset['dataset'], masks)
    if masks:
        return {**dataset, 'pipeline': []}
    prefix = {k: v for k, v in dataset.get('data_prefix', {}).items() if k == 'img_path'}
    masks_aside = {'data_prefix': prefix, 'pseudo_mask_dir': None, 'check_files': 'lazy'}
    return {**dataset, **masks_aside, 'pipeline': []}


class Images:
    """The images of a dataset config.

    Args:
        dataset: The config.
        key: Where the tool's config has it; named in messages.

    Attributes:
        dataset: The dataset itself.
        positions: Index of each image in it, by id; the first one of an image that is there repeatedly.
        classes: Class names, background first.
        palette: Colours, or None.
        split: Name of the split.
        paths: Path of each image by id.
        labels: Class ids of each image by id; None where the dataset has none.

    Raises:
        ValueError: The dataset gives its images no ids, or one id to several images.
    """

    def __init__(self, dataset: Mapping[str, Any], key: str = 'map_dataset') -> None:
        self.dataset = DATASETS.build(dataset)
        infos: dict[str, tuple[int, dict[str, Any]]] = {}
        several = []
        for i in range(len(self.dataset)):
            info = self.dataset.get_data_info(i)
            if 'img_id' not in info:
                raise ValueError(
                    f'{key} must be a WSSSDataset or several in a WSSSConcatDataset, whose images have '
                    f'ids, but {type(self.dataset).__name__} gives {sorted(info)}'
                )
            name = info['img_id']
            if infos.setdefault(name, (i, info))[1]['img_path'] != info['img_path']:
                several.append(name)
        if several:
            raise ValueError(
                f'{key} has several images of {len(several)} ids, and files are named by them: '
                f'{name_some(several)}'
            )
        self.classes = list(self.dataset.metainfo['classes'])
        self.palette = self.dataset.metainfo.get('palette')
        self.split = split_name(dataset)
        self.positions = {name: i for name, (i, _) in infos.items()}
        self.paths = {name: info['img_path'] for name, (_, info) in infos.items()}
        self.labels: dict[str, list[int] | None] = {
            name: info.get('img_label') for name, (_, info) in infos.items()
        }

    def label_texts(self, ids: Sequence[str]) -> dict[str, str]:
        """The labels of images as :class:`~mmwsss.stages.output.OutputFolder` keeps them, by id."""
        return {name: json.dumps(self.labels[name]) for name in ids}

    def choose(self, ids: Sequence[str] | Path | None) -> list[str]:
        """Return ``ids``, those that a file lists, or all of the dataset for None.

        Raises:
            ValueError: The dataset does not have them all; names some, and the file.
            FileNotFoundError: There is no such file.
        """
        if isinstance(ids, Path):
            return read_subset(str(ids), list(self.paths), '--list', 'map_dataset')
        if ids is None:
            return list(self.paths)
        missing = [name for name in ids if name not in self.paths]
        if missing:
            raise ValueError(
                f'{len(missing)} of {len(ids)} ids are not in map_dataset, first {missing[:3]}'
            )
        return list(ids)
