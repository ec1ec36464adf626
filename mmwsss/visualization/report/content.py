"""What a report says, before it is laid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmwsss.visualization.report.html import Html

__all__ = [
    'Confusion',
    'Gallery',
    'Missing',
    'Picture',
    'RunReport',
    'SizeScore',
    'StageScore',
    'ThresholdCurve',
    'Training',
]


@dataclass(frozen=True)
class StageScore:
    """A score of one stage and how it was measured.

    Attributes:
        name: What was scored.
        protocol: Images, views, threshold: all that decides what the score means.
        miou: Mean IoU in 0..1; None if it was not measured.
        iou: IoU by class name, None where undefined; empty if unknown.
        uses_ground_truth: Whether anything was chosen on the masks that it is scored against.
        others: Further scores in 0..1 by name, such as ``IA-mIoU``.
    """

    name: str
    protocol: str
    miou: float | None
    iou: Mapping[str, float | None] = field(default_factory=dict)
    uses_ground_truth: bool = False
    others: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SizeScore:
    """Instance-aware mIoU by the size of the objects.

    Attributes:
        name: What was scored.
        scores: ``all``, ``small``, ``medium``, ``large`` -> 0..1; None where there are no such objects.
        counts: Number of objects of each size.
        instances: Where the objects come from.
    """

    name: str
    scores: Mapping[str, float | None]
    counts: Mapping[str, int]
    instances: str


@dataclass(frozen=True)
class ThresholdCurve:
    """mIoU of class maps over background thresholds, which uses ground truth.

    Attributes:
        name: Which maps.
        thresholds: T thresholds.
        miou: T scores in 0..1.
        argmax_miou: Score without a threshold; None for maps without background.
    """

    name: str
    thresholds: Sequence[float]
    miou: Sequence[float]
    argmax_miou: float | None = None


@dataclass(frozen=True)
class Confusion:
    """Which class pixels have and which they were given.

    Attributes:
        name: What was scored.
        classes: C names, background first.
        counts: int64 (C, C + 1), row: true class, column: given class; last column: undecided.
    """

    name: str
    classes: Sequence[str]
    counts: np.ndarray


@dataclass(frozen=True)
class Picture:
    """One image with what was made of it.

    Attributes:
        name: Image id.
        note: Score and the like.
        tiles: (title, RGB uint8 (H, W, 3)) from left to right.
    """

    name: str
    note: str
    tiles: Sequence[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Gallery:
    """Pictures under common headings.

    Attributes:
        title: What is shown.
        note: How the images were chosen.
        groups: Heading -> pictures.
        legend: (class name, [R, G, B]) of the classes in the pictures.
    """

    title: str
    note: str
    groups: Mapping[str, Sequence[Picture]]
    legend: Sequence[tuple[str, Sequence[int]]] = ()


@dataclass(frozen=True)
class Training:
    """Curves of one training.

    Attributes:
        name: Which model.
        losses: Name -> (steps, values).
        metrics: Name -> (steps, values).
    """

    name: str
    losses: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    metrics: Mapping[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """A part that the report does not have.

    Attributes:
        part: The part.
        reason: What there is none of.
        command: What makes it; empty if no command does.
        failed: Whether something is there and cannot be used, rather than not there.
    """

    part: str
    reason: str
    command: str = ''
    failed: bool = False


@dataclass
class RunReport:
    """Everything on the page; empty parts are left out.

    Attributes:
        title: Heading of the page.
        intro: What the run did.
        scores: Scores of the stages, in order.
        sizes: Scores by size of object.
        curves: Threshold curves.
        confusions: Confusion of classes.
        galleries: Images.
        trainings: Training curves.
        seconds: Step -> wall time.
        environment: Name -> value.
        commands: Commands that made the run, with their seconds if known.
        extra: Further sections: title -> markup.
        missing: Parts left out.
    """

    title: str
    intro: str = ''
    scores: list[StageScore] = field(default_factory=list)
    sizes: list[SizeScore] = field(default_factory=list)
    curves: list[ThresholdCurve] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    galleries: list[Gallery] = field(default_factory=list)
    trainings: list[Training] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    commands: list[tuple[str, float | None]] = field(default_factory=list)
    extra: dict[str, Html] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)

    @property
    def failed(self) -> list[Missing]:
        """Parts left out because something that is there cannot be used."""
        return [part for part in self.missing if part.failed]
