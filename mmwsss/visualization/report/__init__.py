"""A run as one HTML page that needs nothing else."""

from mmwsss.visualization.report.content import (
    Confusion,
    Gallery,
    Missing,
    Picture,
    RunReport,
    SizeScore,
    StageScore,
    ThresholdCurve,
    Training,
)
from mmwsss.visualization.report.html import Html, join, table, tag
from mmwsss.visualization.report.page import render_page

__all__ = [
    'Confusion',
    'Gallery',
    'Html',
    'Missing',
    'Picture',
    'RunReport',
    'SizeScore',
    'StageScore',
    'ThresholdCurve',
    'Training',
    'join',
    'render_page',
    'table',
    'tag',
]
