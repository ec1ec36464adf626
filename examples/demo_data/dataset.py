"""The demo dataset: a generated segmentation problem in VOC's layout, with known parts.

The pictures are those of :mod:`demo_data.scenes`; ``SegmentationPart`` says for each pixel
of an object whether it belongs to the distinctive part or to the plain body. An image depends on the
seed, its split and its index only: asking for more images leaves the first ones as they were.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from demo_data.scenes import BACKGROUNDS, CLASSES, IGNORE, DemoItem, render_scene
from mmwsss.io.atomic import atomic_path, remove_stale_temporaries, write_text
from mmwsss.io.mask_io import save_mask

__all__ = ['DemoDataReport', 'DemoSettings', 'make_demo_data', 'render_item']

_FORMAT = 'mmwsss-demo'
_VERSION = 1  # goes up whenever the same settings would give other pixels
_SPLITS = ('train', 'val')
_FOLDERS = {
    'image': ('JPEGImages', '.jpg'),
    'labels': ('SegmentationClass', '.png'),
    'instances': ('SegmentationObject', '.png'),
    'parts': ('SegmentationPart', '.png'),
}


@dataclass(frozen=True)
class DemoSettings:
    """What the dataset depends on.

    Args:
        train (int): Number of training images.
        val (int): Number of validation images.
        seed (int): Seed of all images, at least 0.
        min_size (int): Smallest height and width in pixels, at least 32.
        max_size (int): Largest height and width in pixels.
        border (int): Width in pixels of the rim of 255 around each object; 0 for none. The rim is
            taken from what lies behind the object, never from the object itself.
        quality (int): JPEG quality, 1 to 95.

    Raises:
        ValueError: If a number is out of its range.
    """

    train: int = 200
    val: int = 50
    seed: int = 0
    min_size: int = 128
    max_size: int = 160
    border: int = 1
    quality: int = 92

    def __post_init__(self) -> None:
        for name in ('train', 'val', 'seed', 'border'):
            if getattr(self, name) < 0:
                raise ValueError(f'{name} must be at least 0, but got {getattr(self, name)}')
        if not 32 <= self.min_size <= self.max_size:
            raise ValueError(
                'sizes must satisfy 32 <= min_size <= max_size, '
                f'but got min_size={self.min_size} and max_size={self.max_size}'
            )
        if not 1 <= self.quality <= 95:
            raise ValueError(f'quality must lie in [1, 95], but got {self.quality}')

    def as_dict(self) -> dict[str, int]:
        """The settings as plain numbers, as they are kept in ``dataset.json``."""
        return {name: int(getattr(self, name)) for name in self.__dataclass_fields__}

    def ids(self, split: str) -> list[str]:
        """Image ids of ``split``, which is ``'train'`` or ``'val'``."""
        return [f'{split}_{index:04d}' for index in range(getattr(self, split))]


@dataclass(frozen=True)
class DemoDataReport:
    """What :func:`make_demo_data` found and did.

    Args:
        root (Path): Folder of the dataset.
        written (int): Number of images written by this call; 0 when all of it was there.
        counts (dict): The counts of ``dataset.json``.
    """

    root: Path
    written: int
    counts: dict = field(default_factory=dict)


def render_item(settings: DemoSettings, split: str, index: int) -> DemoItem:
    """Draw image number ``index`` of ``split``.

    Args:
        settings (DemoSettings): Only seed, sizes and border matter here.
        split (str): ``'train'`` or ``'val'``; the splits share no image.
        index (int): Position in the split, at least 0. It need not lie below the split's count.

    Returns:
        DemoItem: The same for the same seed, sizes, border, split and index.

    Raises:
        ValueError: If ``split`` is unknown or ``index`` is negative.
    """
    if split not in _SPLITS:
        raise ValueError(f"split must be 'train' or 'val', but got {split!r}")
    if index < 0:
        raise ValueError(f'index must be at least 0, but got {index}')
    return render_scene(
        rng=np.random.default_rng([settings.seed, _SPLITS.index(split), index]),
        first_class=index % len(CLASSES) + 1,  # five images in a row show all classes
        min_size=settings.min_size,
        max_size=settings.max_size,
        border=settings.border,
    )


def _path_of(root: Path, what: str, image_id: str) -> Path:
    folder, suffix = _FOLDERS[what]
    return root / folder / f'{image_id}{suffix}'


def _write_item(root: Path, image_id: str, item: DemoItem, quality: int) -> None:
    """Write the four files of one image."""
    with atomic_path(_path_of(root, 'image', image_id)) as temporary:
        Image.fromarray(item.image).save(temporary, 'JPEG', quality=quality)
    for what in ('labels', 'instances', 'parts'):
        save_mask(_path_of(root, what, image_id), getattr(item, what))


def _count(items: list[tuple[list[int], int, str]]) -> dict:
    """Counts of one split from (class ids, number of objects, background) of each image."""
    classes = dict.fromkeys(CLASSES, 0)
    backgrounds = dict.fromkeys(BACKGROUNDS, 0)
    for class_ids, _, background in items:
        backgrounds[background] += 1
        for class_id in class_ids:
            classes[CLASSES[class_id - 1]] += 1
    return {
        'images': len(items),
        'objects': sum(objects for _, objects, _ in items),
        'images_with_class': classes,
        'images_with_background': backgrounds,
    }


def _read_description(root: Path) -> dict | None:
    """What ``dataset.json`` says, or None for a folder that is missing or empty.

    Raises:
        ValueError: If the folder holds something that this generator did not write.
    """
    path = root / 'dataset.json'
    if not root.exists() or all(entry.name.startswith('.') for entry in root.iterdir()):
        return None
    if not path.is_file():
        raise ValueError(f'{root} is not empty and has no dataset.json: choose another folder')
    try:
        found = json.loads(path.read_text())
        known = found['format'] == _FORMAT and isinstance(found['settings'], dict)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is not readable as a demo dataset: {error!r}') from error
    if not known:
        raise ValueError(f'{path} was not written by this generator: choose another folder')
    return found


def _differences(found: dict, settings: DemoSettings) -> list[str]:
    """Sentences that name each setting in which an existing dataset differs."""
    old = {'version': found.get('version'), **found['settings']}
    new = {'version': _VERSION, **settings.as_dict()}
    return [
        f'{name} is {old.get(name)}, wanted {new.get(name)}'
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _is_whole(root: Path, settings: DemoSettings) -> bool:
    """Whether every file of a finished dataset is still there."""
    names = [root / 'labels.csv', root / 'classes.txt']
    for split in _SPLITS:
        names.append(root / 'ImageSets' / 'Segmentation' / f'{split}.txt')
        names += [_path_of(root, what, i) for i in settings.ids(split) for what in _FOLDERS]
    return all(name.is_file() for name in names)


def _remove_items(root: Path, old: dict) -> None:
    """Remove the images of a former dataset, so that none of them outlives its list."""
    for split in _SPLITS:
        for index in range(int(old['settings'].get(split, 0))):
            for what in _FOLDERS:
                _path_of(root, what, f'{split}_{index:04d}').unlink(missing_ok=True)


def _describe(root: Path, settings: DemoSettings, counts: dict | None) -> None:
    """Write ``dataset.json``; ``counts`` is None as long as the images are being written."""
    description = {
        'format': _FORMAT,
        'version': _VERSION,
        'complete': counts is not None,
        'settings': settings.as_dict(),
        'classes': list(CLASSES),
        'counts': counts,
    }
    write_text(root / 'dataset.json', json.dumps(description, indent=2) + '\n')


def _write_lists(root: Path, settings: DemoSettings, labels: dict[str, list[int]]) -> None:
    """Write the class list, the split lists and the image-level labels."""
    write_text(root / 'classes.txt', '\n'.join(CLASSES) + '\n')
    for split in _SPLITS:
        lines = ''.join(f'{image_id}\n' for image_id in settings.ids(split))
        write_text(root / 'ImageSets' / 'Segmentation' / f'{split}.txt', lines)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator='\n')
    writer.writerow(['id', 'class names'])
    for image_id, class_ids in labels.items():
        writer.writerow([image_id, ';'.join(CLASSES[k - 1] for k in class_ids)])
    write_text(root / 'labels.csv', table.getvalue())


def make_demo_data(
    out: str | Path,
    train: int = 200,
    val: int = 50,
    seed: int = 0,
    min_size: int = 128,
    max_size: int = 160,
    border: int = 1,
    quality: int = 92,
    overwrite: bool = False,
    on_image: Callable[[int, int], None] | None = None,
) -> DemoDataReport:
    """Write the demo dataset in VOC's layout, or find that it is there already.

    The folder gets ``JPEGImages``, ``SegmentationClass``, ``SegmentationObject``,
    ``SegmentationPart``, ``ImageSets/Segmentation/{train,val}.txt``, ``labels.csv``,
    ``classes.txt`` and ``dataset.json``. A run that was cut is repeated with the same result. The
    same settings give the same bytes (with the same Pillow and NumPy).

    Args:
        out (str | Path): Folder of the dataset; made when missing.
        train (int): Number of training images.
        val (int): Number of validation images.
        seed (int): Seed of all images.
        min_size (int): Smallest height and width in pixels.
        max_size (int): Largest height and width in pixels.
        border (int): Width in pixels of the rim of 255 around objects, 0 for none.
        quality (int): JPEG quality.
        overwrite (bool): Replace a demo dataset that has other settings.
        on_image (Callable, optional): Called with (images done, images in all).

    Returns:
        DemoDataReport: Where the dataset is, how many images were written, and its counts.

    Raises:
        ValueError: If a setting is out of range, if ``out`` holds something else, or if it holds a
            demo dataset with other settings and ``overwrite`` is not given.
    """
    root = Path(out)
    settings = DemoSettings(train, val, seed, min_size, max_size, border, quality)
    found = _read_description(root)
    if found is not None:
        different = _differences(found, settings)
        if different and not overwrite:
            raise ValueError(
                f'{root} holds a demo dataset with other settings ({"; ".join(different)}): '
                'choose another folder or overwrite it'
            )
        if not different and found.get('complete') and _is_whole(root, settings):
            return DemoDataReport(root, 0, found['counts'])
        if different:
            _remove_items(root, found)

    remove_stale_temporaries(root)
    _describe(root, settings, counts=None)
    labels: dict[str, list[int]] = {}
    counts = {}
    for split in _SPLITS:
        rows = []
        for index, image_id in enumerate(settings.ids(split)):
            item = render_item(settings, split, index)
            _write_item(root, image_id, item, quality)
            labels[image_id] = item.class_ids
            objects = len(set(np.unique(item.instances).tolist()) - {0, IGNORE})
            rows.append((item.class_ids, objects, item.background))
            if on_image is not None:
                on_image(len(labels), train + val)
        counts[split] = _count(rows)
    _write_lists(root, settings, labels)
    _describe(root, settings, counts)
    return DemoDataReport(root, len(labels), counts)
