"""Pipelines: from image labels to a scored segmenter, one command; what ``tools/run_pipeline.py`` runs."""

from .engine import Decision, Pipeline, StageError
from .launch import Launcher
from .spec import PipelineSpec, Stage, read_pipeline

__all__ = [
    'Decision',
    'Launcher',
    'Pipeline',
    'PipelineSpec',
    'Stage',
    'StageError',
    'read_pipeline',
]
