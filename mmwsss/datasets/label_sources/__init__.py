"""One reader per kind of file that holds image-level labels."""

from .class_table import ClassTable
from .coco import read_coco
from .masks import read_masks
from .npy import read_npy
from .safe_unpickler import UnsafePickleError
from .table import read_csv, read_json
from .voc_xml import read_voc_xml

__all__ = [
    'ClassTable',
    'UnsafePickleError',
    'read_coco',
    'read_csv',
    'read_json',
    'read_masks',
    'read_npy',
    'read_voc_xml',
]
