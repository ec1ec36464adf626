"""Loops of the runner."""

from mmwsss.engine.loops.multi_dataset_test_loop import MultiDatasetTestLoop

__all__ = ['MultiDatasetTestLoop']
