"""Build PASCAL-B, or a set like it, from LVIS and COCO annotations.

Source: Mun et al., WACV 2024: classes of VOC, objects from LVIS (potted plants from COCO), other
annotations become background, images sampled so that classes and sizes are balanced.

What counts as labelled decides whether a pixel may be called background. Crowds of COCO become ignore (255).
An image in which LVIS marks a category of ours as not exhaustively annotated is dropped, and one of more
objects than an 8-bit instance map has numbers (254). In an image that
LVIS did not verify for a class (neither annotated nor in ``neg_category_ids``), objects of the class that
COCO knows become ignore.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.fileio import get_text

from mmwsss.datasets.label_sources.coco import image_name, load_instances
from mmwsss.functional.balanced_sampling import balanced_subset
from mmwsss.functional.ia_miou import LARGE_AREA, SMALL_AREA
from mmwsss.functional.polygons import segmentation_to_mask
from mmwsss.io import load_mask, process_items, safe_join, save_mask
from mmwsss.io.atomic import atomic_path, write_text
from mmwsss.io.ids import write_ids
from mmwsss.utils.names import check_known, name_some

from .voc import VOC12WSSSDataset

__all__ = ['choose_images', 'count_all', 'list_candidates', 'read_source', 'write_set']

CATEGORY_TABLE = Path(__file__).parent / 'tables' / 'pascal_b_categories.csv'
CLASSES = VOC12WSSSDataset.METAINFO['classes']
SIZES = ('S', 'M', 'L')
IGNORE = 255


class Source(NamedTuple):
    """Annotations of one kind: the images by id, and the annotations of mapped categories."""

    kind: str  # 'lvis' or 'coco': which rows of the category table apply
    images: dict[str, dict[str, Any]]  # image id (file name without suffix) -> entry in the JSON
    annotations: dict[str, list[dict[str, Any]]]  # by image id
    class_of: dict[int, str]  # category id -> class name


class Candidate(NamedTuple):
    """An image that may be chosen."""

    name: str
    size: tuple[int, int]  # (H, W)
    objects: list[tuple[int, Any, int]]  # class id, segmentation, annotation id
    ignored: list[Any]  # segmentations of crowds and of objects that were not verified


def read_category_table(path: str | os.PathLike[str] = CATEGORY_TABLE) -> dict[str, dict[str, str]]:
    """Read which category of a source is which class.

    The columns of the CSV are source, category, class, reason; rows without class record what was considered
    and left out.

    Returns:
        Source -> category name -> class name.

    Raises:
        ValueError: A class is unknown.
    """
    table: dict[str, dict[str, str]] = defaultdict(dict)
    for n, row in enumerate(csv.DictReader(get_text(os.fspath(path)).splitlines()), start=2):
        check_known(f'{path}, line {n}: class', row.get('class'), ('', *CLASSES[1:]))
        if row['class']:
            table[row['source']][row['category']] = row['class']
    return dict(table)


def read_source(
    paths: Sequence[str | os.PathLike[str]], kind: str, table: Mapping[str, Mapping[str, str]]
) -> Source:
    """Read annotation files of one kind.

    Args:
        paths: JSON files, e.g. of train and val.
        kind: ``'lvis'`` or ``'coco'``.
        table: Of :func:`read_category_table`.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is no annotation file, or the table does not know any of its categories.
    """
    source, mapped = Source(kind, {}, defaultdict(list), {}), table.get(kind, {})
    for path in (os.fspath(each) for each in paths):
        content = load_instances(path)
        class_of = {
            c['id']: mapped[c['name']] for c in content['categories'] if c['name'] in mapped
        }
        if not class_of:
            raise ValueError(f'{path}: none of its categories is a {kind} category of the table')
        source.class_of.update(class_of)
        names = {i['id']: image_name(i, path).rsplit('/', 1)[-1] for i in content['images']}
        source.images.update((names[image['id']], image) for image in content['images'])
        for annotation in content['annotations']:
            if annotation['category_id'] in class_of:
                source.annotations[names[annotation['image_id']]].append(annotation)
    return source


def list_candidates(
    coco: Source, lvis: Source | None = None, excluded: Sequence[str] = ()
) -> list[Candidate]:
    """List the images that may be chosen, by the rules at the top of this module.

    Args:
        coco: COCO annotations: of potted plants, or of all classes if ``lvis`` is None.
        lvis: LVIS annotations. Images that COCO lacks are left out.
        excluded: Image ids to leave out, e.g. with wrong annotations.

    Returns:
        Images of 1 to 254 objects, in the order of their ids.

    Raises:
        ValueError: No image is in both sources.
    """
    names = coco.images.keys() if lvis is None else coco.images.keys() & lvis.images.keys()
    if not names:
        both = [f'{each.kind}: {next(iter(each.images), None)!r}' for each in (coco, lvis) if each]
        raise ValueError(f'no image is annotated in each source; first images: {", ".join(both)}')
    candidates = (_candidate(name, coco, lvis) for name in sorted(names - set(excluded)))
    return [each for each in candidates if each is not None and 0 < len(each.objects) < IGNORE]


def _candidate(name: str, coco: Source, lvis: Source | None) -> Candidate | None:
    objects, ignored = [], []
    unverified: set[str] = set()
    of_lvis = {} if lvis is None else lvis.class_of
    if lvis is not None:
        entry = lvis.images[name]
        if any(c in of_lvis for c in entry.get('not_exhaustive_category_ids', ())):
            return None
        found = lvis.annotations.get(name, ())
        known = {*entry.get('neg_category_ids', ()), *(a['category_id'] for a in found)}
        unverified = {class_name for c, class_name in of_lvis.items() if c not in known}
        for a in found:
            class_name = of_lvis[a['category_id']]
            objects.append((CLASSES.index(class_name), a['segmentation'], a['id']))
    for a in coco.annotations.get(name, ()):
        class_name = coco.class_of[a['category_id']]
        if not a.get('iscrowd', 0) and class_name not in of_lvis.values():
            objects.append((CLASSES.index(class_name), a['segmentation'], a['id']))
        elif a.get('iscrowd', 0) or class_name in unverified:
            ignored.append(a['segmentation'])
    image = coco.images[name]
    return Candidate(name, (int(image['height']), int(image['width'])), objects, ignored)


def render(candidate: Candidate) -> tuple[np.ndarray, np.ndarray]:
    """Paint an image's masks; smaller objects lie on top of larger ones.

    Returns:
        Class mask and instance map, uint8 (H, W), 255 = ignore in both.

    Raises:
        ValueError: A segmentation is malformed.
    """
    classes = np.zeros(candidate.size, dtype=np.uint8)
    instances = np.zeros(candidate.size, dtype=np.uint8)
    try:
        masks = [segmentation_to_mask(s, candidate.size) for _, s, _ in candidate.objects]
        for segmentation in candidate.ignored:
            mask = segmentation_to_mask(segmentation, candidate.size)
            classes[mask], instances[mask] = IGNORE, IGNORE
    except ValueError as error:
        raise ValueError(f'image {candidate.name!r}: {error}') from error
    order = sorted(range(len(masks)), key=lambda i: (-masks[i].sum(), candidate.objects[i][2]))
    for number, i in enumerate(order, start=1):
        classes[masks[i]] = candidate.objects[i][0]
        instances[masks[i]] = number
    return classes, instances


def count_objects(classes: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """Count the visible objects of a class mask and an instance map by class and size.

    Returns:
        int64 (20, 3): class id - 1, size S (area < 32^2), M (< 96^2), L.
    """
    counts = np.zeros((IGNORE + 1, len(SIZES)), dtype=np.int64)
    areas = np.bincount(instances.ravel(), minlength=IGNORE + 1)
    class_of = np.zeros(len(areas), dtype=np.int64)
    class_of[instances.ravel()] = classes.ravel()
    areas[[0, IGNORE]] = 0
    for i in np.flatnonzero(areas):
        counts[class_of[i], int(areas[i] >= SMALL_AREA) + int(areas[i] >= LARGE_AREA)] += 1
    return counts[1 : len(CLASSES)]


def count_all(candidates: Sequence[Candidate], workers: int = 0) -> dict[str, np.ndarray]:
    """Render and count every candidate, on ``workers`` processes (0: in this one), by image id.

    Raises:
        ValueError: Some cannot be rendered; the message names all of them.
    """
    by_name = {candidate.name: candidate for candidate in candidates}
    counts: dict[str, np.ndarray] = {}

    def work(name: str) -> np.ndarray:
        return count_objects(*render(by_name[name]))

    report = process_items(
        list(by_name), work, None, 'counting', workers, on_result=counts.__setitem__
    )
    if report.failed:
        raise ValueError(report.summary())
    return counts


def choose_images(
    counts: Mapping[str, np.ndarray], target: float, max_images: int, seed: int = 0
) -> list[str]:
    """Sample image ids toward ``target`` objects per class and size.

    ``counts`` has the :func:`count_objects` of each image id; the other arguments are those of
    :func:`mmwsss.functional.balanced_sampling.balanced_subset`.
    """
    names = sorted(counts)
    table = np.stack([counts[name].ravel() for name in names])
    return [names[i] for i in balanced_subset(table, target, max_images, seed)]


def voc_candidates(
    root: str | os.PathLike[str], names: Sequence[str]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield image id, class mask and instance map of a dataset in VOC layout, to balance it as well."""
    for name in names:
        classes = load_mask(safe_join(Path(root, 'SegmentationClass'), name, '.png'))
        instances = load_mask(safe_join(Path(root, 'SegmentationObject'), name, '.png'))
        yield name, classes, instances


def statistics(before: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Summarise the objects of all candidates (``before``) and of the chosen ``names`` (``after``).

    Returns:
        ``before`` and ``after``, each with ``images`` and ``objects`` (class -> size -> number).
    """
    result = {}
    for key, chosen in (('before', before), ('after', names)):
        zero = np.zeros((len(CLASSES) - 1, len(SIZES)), dtype=np.int64)
        total = sum((before[name] for name in chosen), start=zero)
        objects = {name: dict(zip(SIZES, row.tolist())) for name, row in zip(CLASSES[1:], total)}
        result[key] = {'images': len(chosen), 'objects': objects}
    return result


def write_set(
    out: str | os.PathLike[str],
    candidates: Mapping[str, Candidate],
    names: Sequence[str],
    image_dirs: Sequence[str | os.PathLike[str]],
    summary: Mapping[str, Any],
) -> None:
    """Write the images ``names`` in VOC layout. The same list and inputs give the same bytes.

    Args:
        out: Folder to write to.
        candidates: Image id -> candidate.
        names: Chosen image ids.
        image_dirs: Folders with ``<id>.jpg``.
        summary: Content of ``statistics.json``.

    Raises:
        FileNotFoundError: An image is in none of the folders.
        ValueError: A name is no candidate.
    """
    out = Path(out)
    unknown = [name for name in names if name not in candidates]
    if unknown:
        why = '(not annotated, excluded, not exhaustively annotated, or of more than 254 objects)'
        raise ValueError(f'{len(unknown)} images are no candidates {why}: {name_some(unknown)}')
    images = {}
    for name in names:  # before anything is written
        paths = [safe_join(folder, name, '.jpg') for folder in image_dirs]
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise FileNotFoundError(f'image {name}.jpg is in none of {list(map(str, image_dirs))}')
        images[name] = found
    for name, image in images.items():
        classes, instances = render(candidates[name])
        save_mask(safe_join(out / 'SegmentationClass', name, '.png'), classes)
        save_mask(safe_join(out / 'SegmentationObject', name, '.png'), instances)
        with atomic_path(safe_join(out / 'JPEGImages', name, '.jpg')) as temporary:
            shutil.copyfile(image, temporary)
    write_ids(out / 'ImageSets' / 'Segmentation' / 'val.txt', sorted(names))
    write_text(out / 'statistics.json', json.dumps(summary, indent=2, sort_keys=True) + '\n')
