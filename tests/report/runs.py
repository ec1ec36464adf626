"""A run as the tools leave it, made of a few files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmwsss.evaluation import score_maps, score_masks
from mmwsss.io import (
    ClassMaps,
    Protocol,
    Score,
    load_mask,
    make_record,
    read_id_list,
    read_lines,
    save_class_maps,
    save_mask,
    write_record,
)
from mmwsss.io.record import ARGMAX
from mmwsss.refine import RefinerChain
from tests.tiny_models import localizer_config

REFINERS = [dict(type='BackgroundThreshold', threshold=0.5)]
LOG = [{'step': 1, 'loss': 3.0, 'lr': 0.1}, {'step': 2, 'loss': 2.0}]


def write_log(folder: Path, stamp: str, rows: list[dict]) -> None:
    """A log of a training whose last line was cut."""
    path = folder / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join([*map(json.dumps, rows), '{"step": 9, "lo']))


def small_run(root: Path, demo_root: Path) -> Path:
    """A training, maps, masks and their scores, and a test with predictions of three images."""
    classes = ['background', *read_lines(demo_root / 'classes.txt')]
    ids = read_id_list(demo_root / 'ImageSets' / 'Segmentation' / 'train.txt')
    truth = demo_root / 'SegmentationClass'
    training = root / 'localizer'
    training.mkdir(parents=True)
    Config(localizer_config(demo_root)).dump(training / 'tiny.py')
    write_log(training, '20260101_000000', LOG)
    (training / '20260101_000000' / 'x.log').write_text('    PyTorch: 2.13.0\n  - GCC 13.3\n')
    begun = make_record(
        'train', classes, config='configs/tiny.py', result={'seed': 3}, seconds=61.0
    )
    write_record(training, begun)

    about = Protocol('train', len(ids), scales=[1.0, 0.5], flip=True, crf=False)
    maps = make_record('maps', classes, 'train', ids, inputs={'checkpoint': 'c'}, protocol=about)
    write_record(root / 'maps', maps)
    settings = {'refiners': REFINERS, 'threshold': 0.5, 'threshold_source': 'config'}
    about = Protocol('train', len(ids), threshold=0.5, threshold_source='config', crf=False)
    masks = make_record('masks', classes, 'train', ids, settings=settings,
                        inputs={'maps': maps.sha256(ids=False)}, protocol=about)  # fmt: skip
    write_record(root / 'masks', masks)
    rng, chain = np.random.default_rng(0), RefinerChain(REFINERS)
    for name in ids:
        labels = load_mask(truth / f'{name}.png')
        keys = np.unique(labels[(labels > 0) & (labels < 255)])
        scores = (labels[None] == keys[:, None, None]) * 0.45 + 0.55 * rng.random(labels.shape)
        made = ClassMaps(keys, scores.astype(np.float16), labels.shape)
        save_class_maps(root / 'maps' / f'{name}.npz', made)
        save_mask(root / 'masks' / f'{name}.png', chain(made))
    write_record(root / 'maps_score', score_maps(root / 'maps', truth, classes, ids).record)
    write_record(root / 'masks.json', score_masks(root / 'masks', truth, classes, ids).record)

    predictions = {'segmenter': 'predictions'}
    metrics = {'mIoU': 0.2, 'IA_S': None, 'IA_M': 0.125}
    score = Score('segmenter', Protocol('val', 3, crf=False, threshold_source=ARGMAX), metrics)
    test = make_record('test', classes, scores=[score], result={'predictions': predictions})
    write_record(root / 'test', test)
    for name in ids[:3]:
        labels = load_mask(truth / f'{name}.png')
        save_mask(root / 'test' / 'predictions' / f'{name}.png', np.where(labels == 255, 0, labels))
    return root
