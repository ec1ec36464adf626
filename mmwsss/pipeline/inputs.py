"""What a stage's result depends on: the part of the config that it reads, and the files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS as ROOT_DATASETS
from mmseg.registry import DATASETS

from mmwsss.datasets.wsss_dataset import WSSSDataset
from mmwsss.io import hash_file, hash_text, walk_files, write_json
from mmwsss.utils.config import read_config
from mmwsss.utils.nested import dicts_in, rebuilt, texts_in

__all__ = [
    'FileHashes',
    'bases_of_configs',
    'check_datasets',
    'dataset_files',
    'files_in_folders',
    'listed_dataset',
    'named_files',
    'relevant',
]

# Where the data are, and how fast they are read, does not change what is read.
WITHOUT_EFFECT = (
    'data_root',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'check_files',
    'lazy_init',
)
WITHOUT_LABELS = {
    'labels': None,
    'fraction': None,
}  # a fraction is taken of the images of every class


def relevant(cfg: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The part of a config that a stage reads, as plain values.

    Args:
        cfg: The config.
        keys: Top-level keys; missing ones are left out.
    """
    return {key: plain(cfg[key]) for key in keys if cfg.get(key) is not None}


def plain(node: Any) -> Any:
    """A config's node as JSON gives it back, without what has no effect on results."""
    return rebuilt(
        node,
        lambda leaf: leaf if leaf is None or isinstance(leaf, (int, float, str)) else str(leaf),
        without=WITHOUT_EFFECT,
    )


def named_files(node: Any) -> dict[str, Path]:
    """Local files that a config names anywhere, such as initial weights, by their path."""
    named = {text for text in texts_in(node) if 0 < len(text) < 1024 and '\0' not in text}
    return {text: Path(text) for text in sorted(named) if os.path.isfile(text)}


def bases_of_configs(node: Any) -> dict[str, Path]:
    """What the configs that a config names are based on, such as that of a refiner's network."""
    bases = {}
    for config in [text for text in named_files(node) if text.endswith('.py')]:
        for line in read_config(config).text.splitlines():  # each file begins with its path
            if os.path.isfile(line):
                bases[f'{config}: {os.path.relpath(line, os.path.dirname(config))}'] = Path(line)
    return bases


def files_in_folders(node: Any) -> dict[str, Path]:
    """The files of the local folders that a config names anywhere, by the folder's path and their own."""
    return {
        f'{text}/{inside}': Path(file)
        for text in sorted({text for text in texts_in(node) if text and os.path.isdir(text)})
        for inside, file in files_by_id(text)
    }


def datasets_in(node: Any) -> Iterator[dict[str, Any]]:
    """Every dataset with files of its own below a node, those inside wrappers too."""
    for part in dicts_in(node):
        if 'type' in part and ('data_prefix' in part or 'ann_file' in part):
            yield dict(part)


def listed_dataset(node: Mapping[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """A dataset that only knows its list, and the images of that list.

    Labels and masks are neither read nor looked for, so that a fraction of the images lists all of them.

    Raises:
        FileNotFoundError, ValueError: The list or a folder is missing, or the list is empty.
    """
    bare = {**node, 'pipeline': [], 'lazy_init': True}
    kind = DATASETS.get(node['type']) or ROOT_DATASETS.get(node['type'])
    if isinstance(kind, type) and issubclass(kind, WSSSDataset):
        bare.update(WITHOUT_LABELS, pseudo_mask_dir=None, check_files='lazy', expected_count=0)
    dataset = DATASETS.build(bare)
    infos = dataset.load_data_list()
    indices = node.get('indices')
    if isinstance(indices, int):
        infos = infos[:indices] if indices >= 0 else infos[indices:]
    elif indices is not None:
        infos = [infos[i] for i in indices]
    return dataset, infos


def dataset_files(node: Any) -> dict[str, Path]:
    """The local files that the datasets below a node read, by names that stay when data move.

    Those are lists, class names, labels, images and masks. The true masks are left out where a folder
    of pseudo masks takes their place. Files in an object store are not looked at.
    """
    files: dict[str, Path] = {}
    for number, dataset in enumerate(datasets_in(node)):
        files.update({f'{number}/{name}': path for name, path in files_of(dataset).items()})
    return files


def files_of(node: dict[str, Any]) -> dict[str, Path]:
    """The files of one dataset."""
    pseudo = node.get('pseudo_mask_dir')
    dataset, infos = listed_dataset(without_true_masks(node) if pseudo else node)
    files: dict[str, str] = {}
    for i, info in enumerate(infos):
        name = info.get('img_id', i)
        files[f'image {name}'] = info['img_path']
        if info.get('seg_map_path'):
            files[f'mask {name}'] = info['seg_map_path']
    ids = {str(info.get('img_id', '')) for info in infos}
    for what, path in {**sources_of(node, dataset), 'pseudo masks': pseudo}.items():
        if path and os.path.isdir(path):
            files.update({f'{what} {name}': file for name, file in files_by_id(path, ids)})
        elif path:
            files[what] = path
    return {name: Path(path) for name, path in files.items() if os.path.isfile(path)}


def without_true_masks(node: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset as it is where pseudo masks take the place of the true ones, or where none are read."""
    prefix = {k: v for k, v in (node.get('data_prefix') or {}).items() if k != 'seg_map_path'}
    return {**node, 'data_prefix': prefix}


def check_datasets(node: Any, is_made: Callable[[str], Any], known: set[str]) -> None:
    """Build the datasets below a node, which reads their lists and labels and looks for their files.

    Labels in masks are not read.

    Args:
        node: Part of a config.
        is_made: Tells texts that name what does not exist yet, such as a folder of pseudo masks. A dataset
            that needs more of it than those is passed over.
        known: Datasets that are in order and passed over; those found so are added.

    Raises:
        FileNotFoundError, ValueError: What the dataset says.
    """
    for dataset in datasets_in(node):
        if is_made(str(dataset.get('pseudo_mask_dir'))):
            dataset = {**without_true_masks(dataset), 'pseudo_mask_dir': None}
        if (dataset.get('labels') or {}).get('source') == 'masks':
            dataset.update(WITHOUT_LABELS)
        dataset.update(pipeline=[], lazy_init=False)
        text = str(dataset)
        if text not in known and not any(map(is_made, texts_in(dataset))):
            DATASETS.build(dataset)
            known.add(text)


def sources_of(node: dict[str, Any], dataset: Any) -> dict[str, str]:
    """The files and folders of lists, class names and labels of a dataset."""
    labels = node.get('labels') or {}
    label_path = labels.get('path')
    if label_path is None and labels.get('source') == 'masks':
        label_path = dataset.data_prefix.get('seg_map_path')
    classes = node.get('classes')
    paths = {
        'list': node.get('ann_file'),
        'classes': classes if isinstance(classes, str) else None,
        'labels': label_path,
        'category map': labels.get('category_map'),
        'columns': labels.get('columns'),
    }
    root = node.get('data_root') or ''
    return {
        k: os.path.join(root, path) for k, path in paths.items() if isinstance(path, str) and path
    }


def files_by_id(folder: str, ids: set[str] | None = None) -> Iterator[tuple[str, str]]:
    """The files of a folder with their paths inside it; only those that belong to ``ids``, if given."""
    for path in walk_files(folder):
        inside = os.path.relpath(path, folder).replace(os.sep, '/')
        if ids is None or os.path.splitext(inside)[0] in ids:
            yield inside, str(path)


class FileHashes:
    """Hashes of sets of files, taken again only when a size or a time of change is another.

    Args:
        path: Where to remember them, once its folder is there.
        content: Hash the contents of data, too; else their names and sizes only.

    Attributes:
        is_kept: Whether to write what was hashed; a plan writes nothing.
        seen: The files that were asked for.
    """

    def __init__(self, path: Path, content: bool = True) -> None:
        self.path, self.content = path, content
        self.known: dict[str, list[str]] = {}
        self.is_saved, self.is_kept = True, False
        self.seen: set[Path] = set()
        if path.is_file():
            try:
                self.known = json.loads(path.read_text(encoding='utf-8'))
            except ValueError:
                self.known = {}

    def of(self, files: Mapping[str, Path], are_data: bool = False) -> str:
        """Hash of a set of files: of their names and contents.

        Args:
            files: Paths by the names that count.
            are_data: Whether they are a dataset's, not what a stage made.
        """
        self.seen.update(files.values())
        stats = {name: os.stat(path) for name, path in sorted(files.items())}
        if are_data and not self.content:
            return hash_text(json.dumps({name: stat.st_size for name, stat in stats.items()}))
        key = hash_text(json.dumps([[name, str(files[name])] for name in stats]))
        seen = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()]
        state = hash_text(json.dumps(seen))
        if self.known.get(key, [None])[0] != state:
            contents = [[name, hash_file(files[name])] for name in stats]
            self.known[key] = [state, hash_text(json.dumps(contents))]
            self.is_saved = False
        if not self.is_saved and self.is_kept:
            write_json(self.path, self.known)
            self.is_saved = True
        return self.known[key][1]
