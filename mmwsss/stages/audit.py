"""Image labels judged by localizers that have not seen them: ``tools/dataset_converters/audit.py``."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmseg.registry import MODELS

from mmwsss.datasets.subsets import split_folds
from mmwsss.functional.label_audit import contradicted_labels
from mmwsss.io import (
    ClassMaps,
    Recorder,
    atomic_path,
    find_record,
    hash_file,
    hash_text,
    make_record,
    process_items,
    read_record,
    require_file,
    write_ids,
)
from mmwsss.io.record import check_record
from mmwsss.models.classifiers.image_level import ImageLevelClassifier
from mmwsss.stages.image_list import Images, images_only, map_pipeline, parts_of
from mmwsss.stages.inference import class_maps
from mmwsss.stages.load import load_localizer
from mmwsss.stages.maps import predict_item
from mmwsss.stages.train import run_training
from mmwsss.utils.config import model_of
from mmwsss.utils.names import name_some, names_by_number

__all__ = ['Doubt', 'LabelAudit', 'audit_labels']

DOUBTS_NAME = 'contradictions.csv'
SCORES_NAME = 'scores.csv'
NOT_HELD_OUT = (
    'the model has been trained on these labels: wrong ones that it has learnt by heart are not named '
    '(without a checkpoint, folds are trained, whose models have not)'
)


class Doubt(NamedTuple):
    """A label that is contradicted.

    Attributes:
        rank: From 1, the most suspicious first.
        image: Id of the image.
        class_id: 1..K.
        kind: ``'missing'``: the label lacks the class; ``'surplus'``: it has it.
        probability: That the image shows the class, says a model.
    """

    rank: int
    image: str
    class_id: int
    kind: str
    probability: float


@dataclass
class LabelAudit:
    """What an audit found.

    Attributes:
        images: The images and their labels.
        doubts: Contradicted labels, the most suspicious first.
        models: Checkpoint by the id of the image that it has scored.
        notes: What a reader must know.
        failed: Error by the id of images that could not be scored.
    """

    cfg: Config
    images: Images
    doubts: list[Doubt]
    models: dict[str, Path]
    notes: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the classes by their number."""
        return names_by_number(self.images.classes)

    def maps(
        self, doubts: Sequence[Doubt], device: str | None = None, trust_checkpoint: bool = False
    ) -> dict[Doubt, ClassMaps]:
        """The map of the class that each doubt is about, by the model that has scored the image."""
        found = {}
        for checkpoint in dict.fromkeys(self.models[doubt.image] for doubt in doubts):
            model = load_localizer(self.cfg, checkpoint, device, trust_checkpoint)
            for doubt in doubts:
                if self.models[doubt.image] == checkpoint:
                    path, name = self.images.paths[doubt.image], self.names[doubt.class_id]
                    found[doubt] = class_maps(model, path, [name])
        return found


def audit_labels(
    cfg: Config,
    out: str | Path,
    checkpoint: str | Path | None = None,
    folds: int = 5,
    seed: int = 0,
    device: str | None = None,
    trust_checkpoint: bool = False,
) -> LabelAudit:
    """Find the labels of a config's training images that localizers contradict.

    Each fold's model is trained as the config says, on the images of the other folds, and scores those of its
    own. What is finished in ``out`` is not done again; an interrupted training goes on.

    Args:
        cfg: Config of a localizer; the images are those of ``train_dataloader``.
        out: Folder for ``contradictions.csv``, the folds and a record.
        checkpoint: Score all images by this model, which has been trained on them, instead.
        folds: Number of folds.
        seed: Seed of the folds and of the trainings.
        device: Device of the models that score.
        trust_checkpoint: Allow checkpoints that hold more than tensors and plain data.

    Returns:
        The audit; see :func:`~mmwsss.functional.label_audit.contradicted_labels` for the rule.

    Raises:
        TypeError: The config builds no localizer.
        KeyError: It has no ``train_dataloader``.
        ValueError: Its training images come from several datasets, have no labels, or are too few.
        RecordError: ``out`` holds an audit of other labels or settings.
    """
    check_localizer(cfg)
    (part,) = parts_of(cfg.train_dataloader.dataset)
    scored = {**images_only(part), 'pipeline': map_pipeline(cfg.get('map_dataset', part))}
    images = Images(scored, 'train_dataloader.dataset')
    labels = {name: label for name, label in images.labels.items() if label is not None}
    if not labels:
        raise ValueError('train_dataloader.dataset has no labels (key labels), which are looked at')
    inputs = {'labels': hash_text(json.dumps(labels, sort_keys=True))}
    if checkpoint is not None:
        inputs['checkpoint'] = hash_file(require_file('checkpoint', checkpoint))
    parts = [list(labels)] if checkpoint is not None else split_folds(labels, folds, seed)
    settings = {'folds': len(parts), 'seed': seed, 'config': hash_text(str(cfg.to_dict()))}
    if (before := find_record(out)) is not None:
        check_record(before, folder=out, kind='tool', settings=settings, inputs=inputs)
    record = make_record(
        'tool', images.classes, images.split, list(labels), settings=settings, inputs=inputs
    )
    recorder = Recorder(out, record)
    audit = LabelAudit(cfg, images, [], {}, [] if checkpoint is None else [NOT_HELD_OUT])
    probabilities: dict[str, list[float]] = {}
    for number, names in enumerate(parts):
        folder, model = Path(out), checkpoint
        if model is None:
            folder = folder / f'fold_{number}'
            others = [name for name in labels if name not in set(names)]
            print_log(f'fold {number + 1} of {len(parts)}: {len(others)} images', 'current')
            model = train_fold(cfg, folder, others, seed, trust_checkpoint)
        audit.models.update(dict.fromkeys(names, Path(model)))
        found = score_images(audit, names, model, folder / SCORES_NAME, device, trust_checkpoint)
        probabilities.update(found)
    judge(audit, labels, probabilities, alone=checkpoint is None)
    write_doubts(Path(out) / DOUBTS_NAME, audit)
    recorder.finish(
        not audit.failed,
        failed=list(audit.failed),
        result={'contradictions': len(audit.doubts), 'notes': audit.notes},
    )
    return audit


def check_localizer(cfg: Config) -> None:
    """Raise unless a config trains a localizer on one dataset."""
    kind = MODELS.get(str(model_of(cfg).type))
    if kind is None or not issubclass(kind, ImageLevelClassifier):
        raise TypeError(
            f'labels are audited by a localizer (ImageLevelClassifier), but the config builds a '
            f'{cfg.model.type}; is this the config of a segmenter?'
        )
    if not cfg.get('train_dataloader'):
        raise KeyError(
            'an audit needs a `train_dataloader` in the config, whose images are audited'
        )
    count = len(list(parts_of(cfg.train_dataloader.dataset)))
    if count != 1:
        raise ValueError(f'train_dataloader must be of one dataset to be audited, but has {count}')


def train_fold(
    cfg: Config, folder: Path, names: Sequence[str], seed: int, trust_checkpoint: bool
) -> Path:
    """Train the model of a fold on some images, or find it finished; returns its checkpoint."""
    record = find_record(folder)
    if record is None or not record.complete:
        cfg = copy.deepcopy(cfg)
        cfg.work_dir = str(folder)
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed}
        for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
            cfg[key] = None  # scores nothing that is looked at
        listing = folder.absolute() / 'train.txt'
        write_ids(listing, names)
        (part,) = parts_of(cfg.train_dataloader.dataset)
        # Without a list the dataset has all images of its folder.
        key = 'subset' if part.get('ann_file') else 'ann_file'
        part.update({key: str(listing), 'fraction': None})
        run_training(cfg, resume=True, trust_checkpoint=trust_checkpoint)
        record = read_record(folder)
    return folder / str(record.result['checkpoint'])


def score_images(
    audit: LabelAudit,
    names: Sequence[str],
    checkpoint: str | Path,
    path: Path,
    device: str | None,
    trust_checkpoint: bool,
) -> dict[str, list[float]]:
    """Probabilities of the classes by image, read from ``path`` as far as they are there."""
    found = read_scores(path)
    if all(name in found for name in names):
        return found
    images, model = audit.images, load_localizer(audit.cfg, checkpoint, device, trust_checkpoint)

    def score(name: str, item: dict[str, Any]) -> list[float]:
        probabilities: list[float] = predict_item(model, item).pred_score.tolist()
        return probabilities

    report = process_items(
        names,
        lambda _, probabilities: probabilities,
        found.__contains__,
        'scores',
        read=lambda name: images.dataset[images.positions[name]],
        readers=2,
        first=score,
        on_result=found.__setitem__,
    )
    audit.failed.update(report.failed)
    rows = [[name, *found[name]] for name in names if name in found]
    write_rows(path, [['id', *audit.names[1:]], *rows])
    return found


def read_scores(path: Path) -> dict[str, list[float]]:
    """What :func:`score_images` has written; nothing where there is no file."""
    if not path.is_file():
        return {}
    with path.open(newline='', encoding='utf-8') as file:
        rows = list(csv.reader(file))[1:]
    return {name: list(map(float, values)) for name, *values in rows}


def judge(
    audit: LabelAudit,
    labels: dict[str, list[int]],
    probabilities: dict[str, list[float]],
    alone: bool,
) -> None:
    """Fill in the doubts; with ``alone`` a class of a single image, which no model of it knows, has none."""
    names = [name for name in labels if name in probabilities]
    if not names:
        return
    shown = np.array([probabilities[name] for name in names])
    given = np.zeros(shown.shape, bool)
    for row, name in enumerate(names):
        given[row, [i - 1 for i in labels[name]]] = True
    single = np.flatnonzero(given.sum(0) == 1)
    if alone and len(single):
        shown[:, single] = np.nan
        some = name_some([audit.names[i + 1] for i in single])
        audit.notes.append(f'not looked at: classes with a single image, {some}')
    for rank, (row, column) in enumerate(contradicted_labels(shown, given).tolist(), start=1):
        kind = 'surplus' if given[row, column] else 'missing'
        doubt = Doubt(rank, names[row], column + 1, kind, float(shown[row, column]))
        audit.doubts.append(doubt)


def write_doubts(path: Path, audit: LabelAudit) -> None:
    """Write the doubts as a CSV."""
    rows: list[list[Any]] = [['rank', 'id', 'class', 'kind', 'probability']]
    for rank, image, class_id, kind, probability in audit.doubts:
        rows.append([rank, image, audit.names[class_id], kind, f'{probability:.4f}'])
    write_rows(path, rows)


def write_rows(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Write rows of a CSV, whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows(rows)
