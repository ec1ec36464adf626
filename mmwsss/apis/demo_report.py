"""The demo's picture, and what its report says beside that of any other run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwsss.apis.run_folder import RunFolder, RunRecord
from mmwsss.evaluation.tables import percent
from mmwsss.io import ClassMaps, voc_palette
from mmwsss.visualization import class_legend, heatmap, overlay, save_panel
from mmwsss.visualization.report import Html, StageScore, ThresholdCurve, join, table, tag
from mmwsss.visualization.report.html import data_uri

__all__ = ['RECORD_NAME', 'REPORT_FILES', 'PictureRow', 'demo_record', 'draw_picture']

PANEL_NAME, RECORD_NAME, PAGE_NAME = 'panel.png', 'report.json', 'report.html'
REPORT_FILES = (PANEL_NAME, RECORD_NAME, PAGE_NAME)
COLUMNS = ('image', 'CAM', 'IS-CAM (SIPE)', 'mask', 'true mask', 'segmenter')
STEP_NAMES = {
    'localizer': 'training SIPE',
    'maps': 'class maps (IS-CAM)',
    'masks': 'masks and their scores',
    'cam': 'CAM, for comparison',
    'segmenter': 'training the segmenter',
    'segmenter_val': 'scoring the segmenter',
    'segmenter_true_masks': 'training the segmenter on true masks',
    'segmenter_true_masks_val': 'scoring that one',
}


@dataclass(frozen=True)
class PictureRow:
    """One image of the picture.

    Attributes:
        name: Image id.
        image: RGB uint8 (H, W, 3).
        cam: General class maps, without background.
        is_cam: Image-specific class maps, with background.
        mask: Pseudo mask (H, W).
        truth: True mask (H, W).
        prediction: The segmenter's mask (H, W).
    """

    name: str
    image: np.ndarray
    cam: ClassMaps
    is_cam: ClassMaps
    mask: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray


def draw_picture(path: Path, rows: Sequence[PictureRow], classes: Sequence[str]) -> None:
    """Draw each image with its maps, its masks and the segmenter's prediction."""
    palette = voc_palette(len(classes))
    grid = [
        list(zip(COLUMNS if i == 0 else [''] * len(COLUMNS), tiles(row, palette)))
        for i, row in enumerate(rows)
    ]
    save_panel(path, grid, class_legend(classes, palette, range(1, len(classes))), tile_width=1.8)


def tiles(row: PictureRow, palette: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """The pictures of one row, in the order of ``COLUMNS``."""
    masks = (row.mask, row.truth, row.prediction)
    maps = (best_foreground(row.cam), best_foreground(row.is_cam))
    return [
        row.image,
        *(heatmap(scores, row.image) for scores in maps),
        *(overlay(row.image, mask, palette) for mask in masks),
    ]


def best_foreground(maps: ClassMaps) -> np.ndarray:
    """Largest score of a foreground class in each pixel, (h, w)."""
    return maps.scores[maps.keys > 0].astype(np.float32).max(axis=0)


def demo_record(run: RunFolder, content: dict[str, Any]) -> RunRecord:
    """What the demo's ``report.json`` and picture add to a report.

    Args:
        run: The demo's folder.
        content: Scores and what belongs to them, as :class:`mmwsss.apis.demo.Demo` gathers them.
    """
    root, scores = run.root, content['scores']
    folders = ('cam/masks', 'masks', 'segmenter_val/masks', 'segmenter_true_masks_val/masks')
    names = {root / folder: score['name'] for folder, score in zip(folders, scores)}
    names[root / 'report' / 'masks'] = f'the first {len(content["picture"])} validation images'
    curves = {'cam': 'CAM', 'is_cam': 'IS-CAM'}
    return RunRecord(
        title='From image labels to a segmenter',
        intro=introduction(content),
        scores=[stage_score(score) for score in scores],
        curves=[
            ThresholdCurve(curves[kind], found['thresholds'], found['mIoU'], found['argmax_mIoU'])
            for kind, found in content['maps'].items()
        ],
        seconds={STEP_NAMES.get(key, key): spent for key, spent in content['seconds'].items()},
        commands=[('make demo', sum(content['seconds'].values()))],
        environment={'mmwsss of the run': content['version']},
        names=names,
        only_shown={root / 'report' / 'masks'},
        extra={
            'Picture': picture_part(root / PANEL_NAME, content),
            'What the masks cover': coverage_part(content['coverage']),
        },
    )


def introduction(content: dict[str, Any]) -> str:
    """What the demo did."""
    names, count = ', '.join(content['classes'][1:]), content['data']['train']['images']
    return (
        f'A classifier (SIPE) saw {count} generated images and, for each, only the names of the objects '
        f'in it ({names}). Its class maps became masks, and a DeepLabV2 learned from these masks. No '
        'true mask was used in training or in choosing anything, except in the rows that say so. All '
        'numbers are in report.json; the same command continues an interrupted run.'
    )


def stage_score(score: dict[str, Any]) -> StageScore:
    """A :class:`mmwsss.apis.demo.Score` as reports have it."""
    protocol = (
        f'{score["images"]} {score["split"]} images; threshold: {score["threshold"]}; '
        f'{score["views"]}; no CRF'
    )
    return StageScore(
        score['name'], protocol, score['miou'], score['iou'], score['uses_ground_truth']
    )


def picture_part(panel: Path, content: dict[str, Any]) -> Html:
    """The picture, where it was drawn."""
    if not panel.is_file():
        return Html('')
    what = f'The first {len(content["picture"])} validation images. Columns: {", ".join(COLUMNS)}'
    image = tag('img', src=data_uri(panel.read_bytes()), alt=what, class_='wide')
    note = (
        'CAM and IS-CAM: the largest score of a class that the image label names. Maps and masks of these '
        'images are made for the picture only; the segmenter never saw these images.'
    )
    return join(tag('div', image, class_='scroll'), tag('p', note, class_='note'))


def coverage_part(coverage: dict[str, Any]) -> Html:
    """Part recall, body recall and precision of both kinds of masks."""
    names = {'cam': 'CAM at its best threshold', 'is_cam': 'IS-CAM, no threshold'}
    keys = ('part_recall', 'body_recall', 'precision')
    rows = [
        [names[kind], *(percent(found['pooled'][key]) for key in keys)]
        for kind, found in coverage.items()
    ]
    header = ('masks of', 'parts covered %', 'bodies covered %', 'named rightly %')
    note = (
        'Objects have a distinctive part and a plain body. A classifier needs the part only, so the body is '
        'what its maps tend to leave out. Named rightly: of the pixels that the masks give to an object '
        'class, the share that truly is of this class. Larger masks cover more and often name less of it '
        'rightly, so read the columns together. All pixels of all training images together.'
    )
    return join(table(header, rows, (1, 2, 3), cards=True), tag('p', note, class_='note'))
