"""What the tools in ``tools/dataset_converters`` do."""

from .coco_masks import convert_coco, draw_mask
from .generic import convert_folder, doubtful_classes
from .lists import write_lines
from .voc12aug import convert_voc12aug, read_sbd_mat

__all__ = [
    'convert_coco',
    'convert_folder',
    'convert_voc12aug',
    'doubtful_classes',
    'draw_mask',
    'read_sbd_mat',
    'write_lines',
]
