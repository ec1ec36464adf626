"""Boxes around the objects say where a class may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from mmwsss.datasets.label_sources.boxes import BoxReader, open_boxes
from mmwsss.functional.boxes import constrain_labels, constrain_maps
from mmwsss.functional.checks import check_range
from mmwsss.io import ClassMaps, read_lines
from mmwsss.refine.base import BaseRefiner, MapsOrLabels
from mmwsss.registry import REFINERS

__all__ = ['BoxConstraint']


@REFINERS.register_module()
class BoxConstraint(BaseRefiner):
    """No foreground of a class outside its boxes, and no box that is nearly empty.

    In class maps the scores outside the boxes of a class become 0. Maps with a background, and labels, become
    labels in which nearly empty boxes are labelled anew, see
    :func:`~mmwsss.functional.boxes.constrain_labels`; with ``min_fill=0`` maps stay maps.
    Source: Khoreva et al., *Simple Does It*, CVPR 2017, section 3.1.

    Args:
        boxes: COCO's or LVIS' ``.json``, CVAT's ``.xml``, or a folder of ``<id>.xml`` (VOC) or ``<id>.txt``
            (YOLO); see :func:`~mmwsss.datasets.label_sources.boxes.open_boxes`.
        classes: Class names in the order of their ids, or a text file of them.
        min_fill: Share of a box that must have its class. 0: whatever it has stays.
        inner: Share of a nearly empty box, around its middle, that gets the class; the rest becomes 255.

    Raises:
        ValueError: A number lies outside its range.
    """

    def __init__(
        self,
        boxes: str,
        classes: Sequence[str] | str,
        min_fill: float = 0.5,
        inner: float = 0.2,
    ) -> None:
        check_range('min_fill', min_fill, '[0, 1]')
        check_range('inner', inner, '(0, 1]')
        self.boxes, self.classes = boxes, classes
        self.min_fill, self.inner = min_fill, inner

    @cached_property
    def reader(self) -> BoxReader:
        """Gives the boxes of an image; opened when the first one is asked for."""
        given = self.classes
        names = read_lines(given) if isinstance(given, str) else list(given)
        return open_boxes(self.boxes, names if 'background' in names else ['background', *names])

    def __getstate__(self) -> dict[str, object]:
        """Without the reader, which each process opens for itself."""
        return {key: value for key, value in vars(self).items() if key != 'reader'}

    def __call__(
        self, maps: MapsOrLabels, image: np.ndarray | None = None, image_id: str = ''
    ) -> MapsOrLabels:
        """Constrain one image.

        Raises:
            FileNotFoundError: There are no boxes of the image.
            ValueError: They are malformed.
        """
        if not isinstance(maps, ClassMaps):
            boxes = self.reader(image_id, maps.shape)
            return constrain_labels(maps, boxes, self.min_fill, self.inner)
        boxes = self.reader(image_id, maps.image_size)
        scores = constrain_maps(maps.full_size_scores(), maps.keys, boxes)
        if not maps.has_background or not self.min_fill:
            return replace(maps, scores=scores)
        labels = maps.keys[scores.argmax(axis=0)]
        return constrain_labels(labels, boxes, self.min_fill, self.inner)

    def input_files(self) -> Sequence[str]:
        """The file or folder of boxes, and a file of class names."""
        return [self.boxes, *([self.classes] if isinstance(self.classes, str) else [])]
