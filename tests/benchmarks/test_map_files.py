"""The table of docs/scaling.md is what the stored figures say."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_page_holds_the_measured_figures():
    tool = runpy.run_path(str(ROOT / 'benchmarks' / 'map_files.py'))
    results = json.loads((ROOT / 'benchmarks/results/map_files.json').read_text())['results']
    page = (ROOT / 'docs' / 'scaling.md').read_text()
    assert tool['with_table'](page, results) == page
    assert tool['table'](results) in page
    four = results['by_stride']['4']
    per_image = results['coco14_images'] * four['kilobytes_per_image'] / 1e6
    assert abs(per_image - four['gigabytes_coco14']) < 0.1
