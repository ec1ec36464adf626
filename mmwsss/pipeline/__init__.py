"""Pipelines: from image labels to a scored segmenter, one command; what ``tools/run_pipeline.py`` runs."""

from mmwsss.pipeline.engine import Decision, Pipeline, StageError
from mmwsss.pipeline.kinds import Stage
from mmwsss.pipeline.launch import Launcher
from mmwsss.pipeline.spec import PipelineSpec, read_pipeline
from mmwsss.pipeline.summary import Summary, read_summary

__all__ = [
    'Decision',
    'Launcher',
    'Pipeline',
    'PipelineSpec',
    'Stage',
    'StageError',
    'Summary',
    'read_pipeline',
    'read_summary',
]
