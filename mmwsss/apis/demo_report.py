"""The demo's picture and its report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwsss.evaluation.tables import percent
from mmwsss.masks import ClassMaps, atomic_path, voc_palette
from mmwsss.utils.cli import write_json
from mmwsss.visualization import class_legend, heatmap, overlay, save_panel

__all__ = ['REPORT_FILES', 'PictureRow', 'draw_picture', 'render_html', 'write_report']

REPORT_FILES = ('panel.png', 'report.json', 'report.html')
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
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #0a6ebd; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
         vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: block; height: .4rem; min-width: 6rem; background: var(--soft); }
.bar i { display: block; height: 100%; background: var(--accent); }
.note { font-size: .85rem; opacity: .8; }
.tag { font-size: .75rem; border: 1px solid var(--line); border-radius: .5rem; padding: 0 .4rem;
       white-space: nowrap; }
img { width: 100%; min-width: 40rem; height: auto; } svg { width: 100%; max-width: 34rem; }
pre { background: var(--soft); padding: .7rem; overflow-x: auto; font-size: .85rem; }
"""


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


def write_report(work_dir: Path, content: dict[str, Any], rows: Sequence[PictureRow]) -> None:
    """Write ``panel.png``, ``report.json`` and ``report.html``.

    Args:
        work_dir: Folder.
        content: Scores and what belongs to them, as :class:`mmwsss.apis.demo.Demo` gathers them.
        rows: The images of the picture.
    """
    panel = work_dir / REPORT_FILES[0]
    draw_picture(panel, rows, content['classes'])
    write_json(work_dir / REPORT_FILES[1], content)
    with atomic_path(work_dir / REPORT_FILES[2]) as temporary:
        Path(temporary).write_text(render_html(content, panel.read_bytes()), encoding='utf-8')


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


def render_html(content: dict[str, Any], panel: bytes) -> str:
    """The report as one HTML document.

    Args:
        content: See :func:`write_report`.
        panel: The picture as PNG.
    """
    source = 'data:image/png;base64,' + base64.b64encode(panel).decode('ascii')
    scores = content['scores']
    counts = content['data']
    names = ', '.join(content['classes'][1:])
    sections = [
        '<h1>From image labels to a segmenter</h1>',
        f'<p>A classifier (SIPE) saw {counts["train"]["images"]} generated images and, for each, '
        f'only the <em>names</em> of the objects in it ({html.escape(names)}). Its class maps became '
        f'masks, and a DeepLabV2 learned from these masks. No true mask was used in training or in '
        f'choosing anything, except in the rows that say so.</p>',
        *section('Scores', score_table(scores)),
        f'<p class="note">mIoU: mean over {len(content["classes"])} classes, background included, '
        'all pixels of all images added up; pixels labelled 255 (the rim of the objects) do not '
        'count.</p>',
        *section(
            f'The first {len(content["picture"])} validation images',
            f'<img src="{source}" alt="Rows: images. Columns: {", ".join(COLUMNS)}">',
        ),
        '<p class="note">CAM and IS-CAM: the largest score of a class that the image label names. '
        'Maps and masks of these images are made for the picture only; the segmenter never saw '
        'these images.</p>',
        *section('What the masks cover', coverage_table(content['coverage'])),
        '<p class="note">Objects have a distinctive part and a plain body. A classifier needs the '
        'part only, so CAM finds the part and leaves the body out. All pixels of all training images '
        'together.</p>',
        *section('IoU per class', class_rows(scores, content['classes'])),
        *section('Thresholds', threshold_plot(content['maps'])),
        '<p class="note">mIoU of the maps over background thresholds. This uses the ground truth of '
        'the training images: it says how good maps are and must not choose a threshold. The line '
        'across is IS-CAM without a threshold.</p>',
        *section('Time', time_table(content['seconds'])),
        f'<p class="note">mmwsss {html.escape(content["version"])}. All numbers are in report.json; '
        'the same command continues an interrupted run.</p>',
    ]
    body = '\n'.join(sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>mmwsss demo</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n'
        '</body>\n</html>\n'
    )


def section(title: str, content: str) -> list[str]:
    """A heading and something that may be wider than the screen."""
    return [f'<h2>{html.escape(title)}</h2>', f'<div class="scroll">{content}</div>']


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> str:
    """An HTML table; ``rows`` hold HTML, ``numbers`` the columns aligned to the right."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="n"' if i in numbers else '' for i in range(len(cells))]
        return ''.join(f'<{tag}{kind}>{cell}</{tag}>' for kind, cell in zip(kinds, cells))

    lines = ''.join(f'<tr>{line(row, "td")}</tr>' for row in rows)
    return f'<table><tr>{line([html.escape(cell) for cell in header], "th")}</tr>{lines}</table>'


def score_table(scores: Sequence[dict[str, Any]]) -> str:
    """All mean IoUs with their protocol."""
    rows = []
    for score in scores:
        tag = ' <span class="tag">uses ground truth</span>' if score['uses_ground_truth'] else ''
        protocol = f'threshold: {score["threshold"]}; {score["views"]}'
        rows.append(
            [
                html.escape(score['name']) + tag,
                percent(score['miou']) + bar(score['miou']),
                f'{score["images"]} {html.escape(score["split"])} images',
                html.escape(protocol),
            ]
        )
    return table(('what', 'mIoU %', 'on', 'how'), rows, (1,))


def bar(value: float) -> str:
    """A bar for a score in 0..1."""
    return f'<span class="bar"><i style="width:{100 * value:.1f}%"></i></span>'


def coverage_table(coverage: dict[str, Any]) -> str:
    """Part recall, body recall and precision of both kinds of masks."""
    names = {'cam': 'CAM at its best threshold', 'is_cam': 'IS-CAM, no threshold'}
    keys = ('part_recall', 'body_recall', 'precision')
    rows = [
        [html.escape(names[kind]), *(percent_or_dash(found['pooled'][key]) for key in keys)]
        for kind, found in coverage.items()
    ]
    header = ('masks of', 'parts covered %', 'bodies covered %', 'named rightly %')
    return table(header, rows, (1, 2, 3))


def percent_or_dash(value: float | None) -> str:
    """A score in percent; ``-`` for None."""
    return percent(math.nan if value is None else value)


def class_rows(scores: Sequence[dict[str, Any]], classes: Sequence[str]) -> str:
    """IoU of each class, one column per score."""
    rows = [
        [html.escape(name), *(percent_or_dash(score['iou'][name]) for score in scores)]
        for name in classes
    ]
    return table(('class', *(score['name'] for score in scores)), rows, range(1, len(scores) + 1))


def threshold_plot(maps: dict[str, Any], width: int = 340, height: int = 200) -> str:
    """mIoU over thresholds as an SVG."""
    left, top, right, bottom = 34, 10, 8, 30
    colours = {'cam': '#d9822b', 'is_cam': '#0a6ebd'}
    labels = {'cam': 'CAM', 'is_cam': 'IS-CAM'}

    def point(threshold: float, miou: float) -> tuple[float, float]:
        x = left + threshold * (width - left - right)
        return x, top + (1 - miou) * (height - top - bottom)

    parts = []
    for level in (0, 0.25, 0.5, 0.75, 1):
        (x0, y), (x1, _) = point(0, level), point(1, level)
        parts.append(f'<path d="M{x0} {y:.1f}H{x1}" stroke="#8886" stroke-width=".5"/>')
        parts.append(text(x0 - 4, y + 3, f'{100 * level:.0f}', 'end'))
        x, _ = point(level, 0)
        parts.append(text(x, height - bottom + 12, f'{level:g}', 'middle'))
    parts.append(text(width / 2, height - 4, 'background threshold', 'middle'))
    for row, (kind, found) in enumerate(maps.items()):
        points = [point(t, m) for t, m in zip(found['thresholds'], found['mIoU'])]
        path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
        stroke = f'stroke="{colours[kind]}" stroke-width="2"'
        parts.append(f'<polyline points="{path}" fill="none" {stroke}/>')
        if found['argmax_mIoU'] is not None:
            (x0, y), (x1, _) = point(0, found['argmax_mIoU']), point(1, 0)
            parts.append(f'<path d="M{x0} {y:.1f}H{x1}" {stroke} stroke-dasharray="4 3"/>')
        y = top + 12 + 13 * row
        parts.append(f'<path d="M{width - 70} {y - 3}h14" {stroke}/>')
        parts.append(text(width - 52, y, labels[kind], 'start'))
    title = 'mIoU in percent over background thresholds'
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">{"".join(parts)}</svg>'


def text(x: float, y: float, content: str, anchor: str) -> str:
    """Text in an SVG."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="9" fill="currentColor" '
        f'text-anchor="{anchor}">{html.escape(content)}</text>'
    )


def time_table(seconds: dict[str, float]) -> str:
    """Wall time of the steps."""
    rows = [
        [html.escape(STEP_NAMES.get(name, name)), f'{spent:.0f} s']
        for name, spent in seconds.items()
    ]
    return table(('step', 'time'), [*rows, ['sum', f'{sum(seconds.values()):.0f} s']], (1,))
