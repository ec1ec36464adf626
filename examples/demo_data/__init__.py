"""The demo dataset: generated images with known parts, and how much of the parts a prediction covers."""

from demo_data.dataset import DemoSettings, make_demo_data, render_item
from demo_data.part_coverage import part_coverage, part_coverage_scores
from demo_data.scenes import CLASSES

__all__ = [
    'CLASSES',
    'DemoSettings',
    'make_demo_data',
    'part_coverage',
    'part_coverage_scores',
    'render_item',
]
