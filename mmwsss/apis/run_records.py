"""The records that demo, pipeline and study leave in the folder of a run."""

from __future__ import annotations

import shlex

from mmwsss.apis.demo_report import RECORD_NAME, demo_record
from mmwsss.apis.run_folder import RunFolder, RunRecord, read_json

__all__ = ['read_record']


def read_record(run: RunFolder) -> RunRecord:
    """What whoever ran it wrote down; an empty record if nobody did."""
    content = run.jsons.get(run.root / RECORD_NAME)
    if content is not None and {'scores', 'coverage', 'maps'} <= set(content):
        return demo_record(run, content)
    return study_record(run)


def study_record(run: RunFolder) -> RunRecord:
    """Commands and times of a ``steps.json``: a list of ``command`` and ``seconds``."""
    steps = read_json(run.root / 'steps.json')
    record = RunRecord()
    for step in steps if isinstance(steps, list) else ():
        seconds = step.get('seconds')
        record.commands.append((step['command'], seconds))
        tool = ' '.join(shlex.split(step['command'])[1:2])
        record.seconds[f'{len(record.seconds) + 1}. {tool}'] = seconds or 0.0
    return record
