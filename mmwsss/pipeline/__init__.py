"""Pipelines: from image labels to a scored segmenter, one command; what ``tools/run_pipeline.py`` runs."""
# ruff: noqa: F403  (the modules' __all__ are the package's; static, for the type checker)

from mmwsss.pipeline.engine import *
from mmwsss.pipeline.kinds import *
from mmwsss.pipeline.launch import *
from mmwsss.pipeline.spec import *
from mmwsss.pipeline.summary import *
