import numpy as np
import pytest

from mmwsss.datasets.label_sources import ClassTable, read_masks
from mmwsss.datasets.label_sources.masks import present_classes
from mmwsss.io.mask_io import save_mask
from tests.datasets.tiny import CLASSES, IDS, LABELS

TABLE = ClassTable(CLASSES)


def test_reads_present_classes_without_background_and_ignore(tiny):
    assert read_masks(IDS, TABLE, path=str(tiny / 'masks')) == LABELS


def test_min_pixels(tmp_path):
    mask = np.array([[1, 1, 2], [0, 0, 0]], np.uint8)
    save_mask(tmp_path / 'a.png', mask)
    assert read_masks(['a'], TABLE, path=str(tmp_path)) == {'a': [1, 2]}
    assert read_masks(['a'], TABLE, path=str(tmp_path), min_pixels=2) == {'a': [1]}


def test_foreign_class_id_names_mask_and_id(tmp_path):
    save_mask(tmp_path / 'a.png', np.full((2, 2), 7, np.uint8))
    with pytest.raises(ValueError, match=r'a\.png holds class ids outside the list: 7'):
        read_masks(['a'], TABLE, path=str(tmp_path))


def test_missing_masks_are_counted_and_named(tiny):
    with pytest.raises(FileNotFoundError, match='lacks the masks of 1 of 2 images: nope'):
        read_masks(['nope', 'first'], TABLE, path=str(tiny / 'masks'))


def test_present_classes_with_another_ignore_index():
    mask = np.array([[0, 3, 255, 254]], np.uint8)
    assert present_classes(mask, ignore_index=254) == [3, 255]
