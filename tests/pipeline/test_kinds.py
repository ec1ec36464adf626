"""What each kind of stage checks before a pipeline runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmwsss.pipeline.kinds import Stage, Train

RECAM = str(Path(__file__).parents[2] / 'configs' / 'recam' / 'recam_tiny_demo.py')


def test_initial_weights_that_another_stage_makes_are_not_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind = Train()
    with pytest.raises(FileNotFoundError, match=r'cam_tiny_demo.*\.pth'):
        kind.check(Stage('recam', 'train', RECAM))
    kind.check(Stage('recam', 'train', RECAM, options={'load_from': '{localizer}'}))
