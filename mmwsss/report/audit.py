"""The page about an audit of labels: pictures of what is contradicted, with the maps of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.io import ClassMaps, read_record, voc_palette, write_text
from mmwsss.report.gallery import START, STEPS, Gallery, draw_picture
from mmwsss.report.read import Stage, noting
from mmwsss.report.write import RunReport, render_page
from mmwsss.stages.audit import Doubt, LabelAudit
from mmwsss.utils.names import has_background
from mmwsss.visualization.tiles import ImageParts

__all__ = ['write_audit_page']

HEADINGS = {'missing': 'missing in the label', 'surplus': 'in the label, not in the image'}


def write_audit_page(path: str | Path, audit: LabelAudit, maps: Mapping[Doubt, ClassMaps]) -> Path:
    """Write one HTML file with the images of some doubts, the most suspicious of each kind first.

    Args:
        path: The file.
        audit: What it is about.
        maps: The doubts to show, with the map of the class.
    """
    report = RunReport('Labels that a localizer contradicts', extra={'Labels': summary(audit)})
    gallery = empty_gallery(Path(path).parent, audit, maps)
    for doubt in sorted(maps):
        with noting(gallery.problems, doubt.image):
            image = load_rgb(audit.images.paths[doubt.image], doubt.image)
            picture = draw_picture(
                ImageParts(doubt.image, image, maps[doubt]), note_of(doubt, audit), gallery
            )
            gallery.pictures.setdefault(HEADINGS[doubt.kind], []).append(picture)
    if gallery.pictures:
        report.galleries.append(gallery)
    for name, reason in {**audit.failed, **gallery.problems}.items():
        report.miss(f'image {name}', reason)
    write_text(path, render_page(report))
    return Path(path)


def empty_gallery(folder: Path, audit: LabelAudit, maps: Mapping[Doubt, ClassMaps]) -> Gallery:
    """The frame of the pictures, with a slider that starts at the maps' own background or at a constant."""
    classes = audit.images.classes
    record = read_record(folder)
    own = any(each.has_background for each in maps.values())
    return Gallery(
        Stage('the most suspicious labels', folder, record),
        classes,
        audit.images.palette or voc_palette(len(classes)),
        np.round(np.linspace(0, 1, STEPS + 1), 2).astype(np.float32),
        None if own or not has_background(classes) else START,
    )


def note_of(doubt: Doubt, audit: LabelAudit) -> str:
    """What is written beside the image of a doubt."""
    classes = audit.names
    labels = ', '.join(classes[i] for i in audit.images.labels[doubt.image] or ()) or 'nothing'
    return (
        f'{classes[doubt.class_id]} {doubt.kind}: probability {doubt.probability:.2f}, '
        f'rank {doubt.rank}; labelled {labels}'
    )


def summary(audit: LabelAudit) -> str:
    """The counts and notes of an audit, in words."""
    kinds = [doubt.kind for doubt in audit.doubts]
    counts = ' and '.join(f'{kinds.count(kind)} {kind}' for kind in HEADINGS)
    text = f'{counts} classes in the labels of {len(audit.models)} images are contradicted.'
    return ' '.join([text, *(f'{note[0].upper()}{note[1:]}.' for note in audit.notes)])
