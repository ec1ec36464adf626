"""The summary of a pipeline: every score with its protocol, times, commands; as JSON and as a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from mmwsss.io import Record, Score, from_json, percent, read_json, write_json, write_text
from mmwsss.pipeline.spec import PipelineSpec
from mmwsss.utils.resources import ROOT

__all__ = ['StageSummary', 'Summary', 'read_summary', 'short_path', 'write_summary']

SUMMARY = 'summary.json'
PAGE = 'summary.md'
USUAL = ('mIoU', 'aAcc', 'mAcc')
KEPT = ('command', 'seconds', 'code', 'complete', 'scores')  # of the record of a stage


@dataclass(frozen=True)
class StageSummary:
    """What a summary keeps of one stage: see :class:`~mmwsss.io.Record`.

    Attributes:
        name: Name of the stage.
        kind: What it ran.
        date: Day on which it was begun, ISO 8601.
        doubts: What is doubtful about the masks it made.
    """

    name: str
    kind: str
    config: str = ''
    command: str = ''
    seconds: float = 0.0
    code: str = ''
    date: str = ''
    complete: bool = True
    scores: list[Score] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """What a run of a pipeline made; ``summary.json`` and the files in ``results/``.

    Attributes:
        name: Name of the pipeline.
        pipeline: Its config.
        seed: Seed of its trainings.
        hardware: Cores and processor.
        complete: Whether all stages that were begun are done.
        options: Settings that the command line replaced, but place and seed, as text; a run with any tries
            a setting and says nothing about the recipe as it stands.
        stages: What was run, in order.
    """

    name: str
    pipeline: str
    seed: Optional[int] = None  # noqa: UP045  (evaluated on Python 3.9)
    hardware: str = ''
    complete: bool = True
    options: dict[str, str] = field(default_factory=dict)
    stages: list[StageSummary] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Wall time of all stages."""
        return sum(stage.seconds for stage in self.stages)


def short_path(path: str | Path, root: Path = ROOT) -> str:
    """A path from ``root`` where it lies below that, by default from that of checkout or wheel."""
    try:
        return str(Path(path).resolve().relative_to(root))
    except ValueError:
        return str(path)


def write_summary(
    work_dir: Path, spec: PipelineSpec, records: Mapping[str, Record], seed: int | None
) -> Summary:
    """Write ``summary.json`` and ``summary.md``.

    Args:
        work_dir: Folder of the pipeline.
        spec: The pipeline.
        records: Records by stage, of those that were begun.
        seed: Seed of the trainings.
    """
    stages = [
        StageSummary(
            stage.name,
            stage.kind,
            stage.config and short_path(stage.config),
            date=record.created[:10],
            doubts=list(record.result.get('doubts', [])),
            **{key: getattr(record, key) for key in KEPT},
        )
        for stage in spec.stages
        if (record := records.get(stage.name)) is not None
    ]
    summary = Summary(
        name=spec.name,
        pipeline=short_path(spec.path),
        seed=seed,
        hardware=next((record.hardware for record in records.values()), ''),
        complete=all(stage.complete for stage in stages),
        options={key: str(value) for key, value in spec.options.items()},
        stages=stages,
    )
    path = work_dir / SUMMARY
    if path.is_file() and read_summary(path) == summary:
        return summary
    write_json(path, dataclasses.asdict(summary))
    write_text(work_dir / PAGE, page(summary))
    return summary


def read_summary(path: str | Path) -> Summary:
    """Read a ``summary.json``, or a file of ``results/``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no summary; names the part that does not fit.
    """
    summary: Summary = from_json(Summary, read_json(path), str(path))
    return summary


def other_scores(score: Score) -> str:
    """The metrics beside mmseg's usual ones."""
    others = {key: value for key, value in score.metrics.items() if key not in USUAL}
    return ', '.join(f'{key} {percent(value)}' for key, value in others.items())


def page(summary: Summary) -> str:
    """The summary in Markdown."""
    rows = [
        f'| {stage.name} | {score.what} | {percent(score.miou)} | {other_scores(score)} '
        f'| {score.protocol.text()} |'
        for stage in summary.stages
        for score in stage.scores
    ]
    doubts = [f'- WARNING: {s.name}: {doubt}' for s in summary.stages for doubt in s.doubts]
    doubts = [''] * bool(doubts) + doubts
    steps = [
        f'| {stage.name} | {stage.seconds:.1f} | {"yes" if stage.complete else "no"} |'
        for stage in summary.stages
    ]
    code = ', '.join(dict.fromkeys(stage.code for stage in summary.stages))
    lines = [
        f'# {summary.name}',
        '',
        f'Seed {summary.seed}; {summary.seconds / 60:.1f} minutes on {summary.hardware}; code {code}.',
        '',
        '| stage | scored | mIoU % | others % | protocol |',
        '|---|---|---|---|---|',
        *rows,
        *doubts,
        '',
        '| stage | seconds | done |',
        '|---|---|---|',
        *steps,
        '',
        'Commands:',
        '',
        '```bash',
        *[stage.command for stage in summary.stages],
        '```',
    ]
    return '\n'.join(lines) + '\n'
