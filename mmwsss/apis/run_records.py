"""The records that demo, pipeline and study leave in the folder of a run."""

from __future__ import annotations

import shlex
from typing import Any

from mmwsss.apis.demo_report import RECORD_NAME, demo_record
from mmwsss.apis.run_files import (
    INSTANCE_SCORES,
    check_demo,
    check_steps,
    check_summary,
    load_json,
)
from mmwsss.apis.run_folder import RunFolder, RunRecord
from mmwsss.evaluation.protocol import uses_ground_truth
from mmwsss.visualization.report import StageScore

__all__ = ['read_record']

SUMMARY = 'summary.json'
STEPS = 'steps.json'


def read_record(run: RunFolder) -> RunRecord:
    """What whoever ran it wrote down; an empty record if nobody did."""
    content = run.jsons.get(run.root / RECORD_NAME)
    if content is not None:
        with run.reading(run.root / RECORD_NAME):
            check_demo(content)
            return demo_record(run, content)
    summary = run.jsons.get(run.root / SUMMARY)
    if summary is not None:
        with run.reading(run.root / SUMMARY):
            check_summary(summary)
            return summary_record(run, summary)
    with run.reading(run.root / STEPS):
        return study_record(run)
    return RunRecord()


def summary_record(run: RunFolder, content: dict[str, Any]) -> RunRecord:
    """The ``summary.json`` of a pipeline, whose scores are in percent.

    Predictions in the folder of a stage are what the stage's score is of.
    """
    record = RunRecord(title=str(content['name']))
    known = {'seed': 'seed', 'code': 'mmwsss of the run', 'hardware': 'hardware', 'date': 'date'}
    record.environment = {
        title: str(content[key]) for key, title in known.items() if content.get(key) is not None
    }
    record.scores = [summary_score(score) for score in content['scores']]
    for score in content['scores']:
        folder = run.root / str(score.get('stage')) / 'predictions'
        if folder in run.predictions:
            record.names[folder] = score['what']
    for step in content['steps']:
        seconds = step.get('seconds')
        record.seconds[step.get('stage') or step['command']] = seconds or 0.0
        if step.get('command'):
            record.commands.append((f'python {step["command"].removeprefix("python ")}', seconds))
    return record


def summary_score(score: dict[str, Any]) -> StageScore:
    """A score of a summary as reports have it."""
    metrics = score.get('metrics', {})
    iou = score.get('per_class', {})
    return StageScore(
        score['what'],
        score['protocol'],
        share(score.get('mIoU')),
        {name: share(value) for name, value in iou.items()},
        uses_ground_truth([score, score.get('details', {})], score['protocol']),
        {key: share(metrics[key]) for key in INSTANCE_SCORES if key in metrics},
    )


def share(percent: float | None) -> float | None:
    """Percent as a number in 0..1."""
    return None if percent is None else percent / 100


def study_record(run: RunFolder) -> RunRecord:
    """Commands and times of a ``steps.json``: a list of ``command`` and ``seconds``.

    Raises:
        ValueError: It does not fit.
    """
    record = RunRecord()
    path = run.root / STEPS
    steps = load_json(path) if path.is_file() else []
    check_steps(steps)
    for step in steps:
        seconds = step.get('seconds')
        record.commands.append((step['command'], seconds))
        tool = ' '.join(shlex.split(step['command'])[1:2])
        record.seconds[f'{len(record.seconds) + 1}. {tool}'] = seconds or 0.0
    return record
