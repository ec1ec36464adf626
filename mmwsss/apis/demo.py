"""The demo: from image labels to a segmenter on generated images; what ``tools/demo.py`` runs.

Each step leaves a record in ``<work_dir>/steps``. A step whose record is complete and was made from the
same inputs is skipped; one that was cut goes on; one whose inputs have changed starts again.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner, find_latest_checkpoint

import mmwsss
from demo_data import make_demo_data, part_coverage, part_coverage_scores
from mmwsss.apis.demo_report import REPORT_FILES, PictureRow, draw_picture
from mmwsss.apis.maps import make_maps
from mmwsss.apis.masks import make_masks, mask_settings
from mmwsss.apis.report import ReportOptions, write_run_report
from mmwsss.apis.steps import Say, Steps
from mmwsss.apis.train import build_runner, run_test
from mmwsss.datasets.transforms.loading import load_rgb
from mmwsss.evaluation.folder import find_mask, score_maps, score_masks
from mmwsss.evaluation.tables import jsonable, percent
from mmwsss.io import (
    BatchReport,
    hash_file,
    load_class_maps,
    load_mask,
    read_id_list,
    read_record,
    write_json,
)
from mmwsss.utils.config import load_config

__all__ = ['DemoPlan', 'Score', 'Steps', 'run_demo']

SECONDS_BETWEEN_LINES = 10.0
SHOWN_IMAGES = 2  # best and worst ones of each stage in the report
BEST_THRESHOLD = 'the best on the ground truth of these very images'


@dataclass(frozen=True)
class DemoPlan:
    """What the demo uses and where it writes.

    Attributes:
        work_dir: Folder of everything the demo makes but the data.
        localizer: Config with a ``SIPEHead``, counting iterations.
        segmenter: Config of a segmenter with ``pseudo_mask_dir``, counting iterations.
        data_root: Folder of the generated images.
        data: Settings of :func:`~demo_data.make_demo_data`, such as ``train=200``.
        localizer_options: Replaced settings of ``localizer``.
        segmenter_options: Replaced settings of ``segmenter``.
        true_masks: Train the same segmenter on the true masks too, for comparison.
        pictures: Number of validation images in the picture, the first ones.
    """

    work_dir: Path
    localizer: Path
    segmenter: Path
    data_root: Path = Path('data/demo')
    data: dict[str, Any] = field(default_factory=dict)
    localizer_options: dict[str, Any] = field(default_factory=dict)
    segmenter_options: dict[str, Any] = field(default_factory=dict)
    true_masks: bool = False
    pictures: int = 5


@dataclass(frozen=True)
class Score:
    """A mean IoU with the protocol it was measured under.

    Attributes:
        name: Short name.
        miou: Mean over the classes that occur, in 0..1.
        split: Split of the images.
        images: Number of images.
        threshold: The background threshold and where it comes from, or that there is none.
        views: Scales and mirroring at test time.
        uses_ground_truth: Whether anything was chosen on the masks that it is scored against.
        iou: IoU by class name; None where undefined.
    """

    name: str
    miou: float
    split: str
    images: int
    threshold: str
    views: str
    uses_ground_truth: bool
    iou: dict[str, float | None]

    def line(self) -> str:
        """The score and its protocol in one line."""
        note = ' [uses ground truth: only an evaluation aid]' if self.uses_ground_truth else ''
        return (
            f'{self.name}: mIoU {percent(self.miou)} % on {self.images} {self.split} images; '
            f'threshold: {self.threshold}; {self.views}{note}'
        )


class ProgressHook(Hook):
    """Print a line with loss and remaining time every few seconds.

    Args:
        say: Prints a line.
        interval: Seconds.
    """

    priority = 'VERY_LOW'

    def __init__(self, say: Say, interval: float = SECONDS_BETWEEN_LINES) -> None:
        self.say, self.interval = say, interval

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self.start = self.last = time.monotonic()
        self.first = runner.iter
        if self.first:
            self.say(f'      going on from iteration {self.first} of {runner.max_iters}')

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Print when it is time or when it is the last iteration."""
        now, done = time.monotonic(), runner.iter + 1
        if now - self.last < self.interval and done < runner.max_iters:
            return
        self.last = now
        left = (now - self.start) / (done - self.first) * (runner.max_iters - done)
        loss = float(outputs['loss'])
        self.say(
            f'      iteration {done} of {runner.max_iters}, loss {loss:.3f}, {left:.0f} s left'
        )


@contextlib.contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Send what libraries print to a file, so that people see the demo's own lines only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a', encoding='utf-8') as stream, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                yield
        finally:
            forget_stream(stream)


def forget_stream(stream: Any) -> None:
    """Detach a stream that is about to be closed from MMEngine's loggers."""
    for logger in [*MMLogger._instance_dict.values(), logging.getLogger()]:
        for handler in list(logger.handlers):
            if getattr(handler, 'stream', None) is stream:
                logger.removeHandler(handler)


def console() -> Say:
    """A function that prints lines to what is standard output now, even inside ``output_to``."""
    stream = sys.stdout
    return lambda line: print(line, file=stream, flush=True)


def run_demo(plan: DemoPlan, say: Say | None = None) -> dict[str, Any]:
    """Make data, train SIPE, write maps and masks, train a segmenter on them, score, report.

    Writes ``report.html``, ``report.json`` and ``panel.png`` to ``plan.work_dir``. A second call does
    nothing but print the scores; a call after an interruption goes on.

    Args:
        plan: What to use and where to write.
        say: Prints a line; None: to standard output.

    Returns:
        The content of ``report.json``.

    Raises:
        FileNotFoundError: A config does not exist.
        RuntimeError: Some images failed; they are named.
        ValueError: A config does not fit, or ``data_root`` holds another dataset.
    """
    return Demo(plan, say or console()).run()


class Demo:
    """The steps of the demo, in order.

    Args:
        plan: What to use and where to write.
        say: Prints a line.
    """

    def __init__(self, plan: DemoPlan, say: Say) -> None:
        self.plan, self.say = plan, say
        self.work_dir = Path(plan.work_dir)
        self.log = self.work_dir / 'log.txt'
        self.root = Path(plan.data_root)
        self.truth = self.root / 'SegmentationClass'
        self.steps = Steps(self.work_dir, 8 + 2 * plan.true_masks, say)
        data_root = {'data_root': str(self.root)}
        self.localizer = load_config(plan.localizer, {**plan.localizer_options, **data_root})
        self.segmenter_options = {**plan.segmenter_options, **data_root}
        load_config(plan.segmenter, self.segmenter_options)  # a misspelt option fails at the start
        check_head(self.localizer)

    def run(self) -> dict[str, Any]:
        """Do everything; see :func:`run_demo`."""
        self.data = self.make_data()
        self.ids = {split: self.read_ids(split) for split in ('train', 'val')}
        self.classes = ['background', *read_id_list(self.root / 'classes.txt')]
        title, inputs = 'training SIPE on image labels', self.inputs(self.localizer)
        localizer = self.train('localizer', title, self.localizer, inputs)
        checkpoint = localizer['checkpoint']
        masks, scores = self.make_and_score_masks(checkpoint)
        segmenter, scores['segmenter'] = self.train_segmenter(masks)
        if self.plan.true_masks:
            scores['segmenter_true_masks'] = self.train_segmenter(None)[1]
        return self.report(checkpoint, segmenter, scores)

    def read_ids(self, split: str) -> list[str]:
        """Image ids of a split."""
        return read_id_list(self.root / 'ImageSets' / 'Segmentation' / f'{split}.txt')

    def make_data(self) -> dict[str, Any]:
        """Generate the images; :func:`make_demo_data` knows itself what is done."""

        self.steps.begin(f'making images in {self.root}')
        report = make_demo_data(self.root, **self.plan.data)
        if not report.written:
            self.say('      done before')
        for split, count in report.counts.items():
            self.say(f'      {split}: {count["images"]} images with {count["objects"]} objects')
        return report.counts

    # --- training ---------------------------------------------------------------------------------

    def train(self, name: str, title: str, cfg: Config, inputs: dict[str, Any]) -> dict[str, Any]:
        """Train a config; returns its ``checkpoint`` and that file's ``sha256``."""

        def work(folder: Path) -> dict[str, Any]:
            cfg.merge_from_dict({**run_names(name, folder), 'resume': True})
            with output_to(self.log):
                runner = build_runner(cfg)
                runner.register_hook(ProgressHook(self.say))
                runner.train()
            path = Path(find_latest_checkpoint(str(folder)))
            return {'checkpoint': path.name, 'sha256': hash_file(path)}

        cfg = copy.deepcopy(cfg)
        cfg.train_cfg.val_interval = cfg.train_cfg.max_iters + 1  # scored in steps of their own
        title = f'{title}: {cfg.train_cfg.max_iters} iterations of {batch_size(cfg)} images'
        result = self.steps.run(name, title, inputs, work)
        return {**result, 'checkpoint': str(self.work_dir / name / result['checkpoint'])}

    def inputs(self, cfg: Config, more: dict[str, Any] | None = None) -> dict[str, Any]:
        """What a step depends on: the config, the data, the version, and what the step adds."""
        common = {'data': self.data, 'version': mmwsss.__version__}
        return {**common, 'config': cfg.to_dict(), **(more or {})}

    def train_segmenter(self, masks: Path | None) -> tuple[str, Score]:
        """Train a segmenter on a folder of masks, or on the true ones, and score it on val.

        Returns:
            The checkpoint and the score.
        """
        name, kind = ('segmenter', 'SIPE') if masks else ('segmenter_true_masks', 'true')
        cfg = load_config(self.plan.segmenter, self.segmenter_options)
        inputs = self.inputs(cfg, {'masks': folder_hash(masks) if masks else 'true'})
        if masks:
            options = {**self.segmenter_options, 'pseudo_mask_dir': str(masks)}
            cfg = load_config(self.plan.segmenter, options)
        title = f'training DeepLabV2 on the {kind} masks'
        trained = self.train(name, title, cfg, inputs)

        def work(folder: Path) -> dict[str, Any]:
            test = copy.deepcopy(cfg)
            test.merge_from_dict(run_names(f'{name}_val', folder))
            with output_to(self.log):
                run_test(test, trained['checkpoint'], out=str(folder / 'masks'))
                found = score_masks(folder / 'masks', self.truth, self.classes, self.ids['val'])
            check_report(found.report)
            label = f'DeepLabV2 trained on the {kind} masks'
            views = 'scales 1, not mirrored'
            return asdict(mask_score(found.content, label, 'val', 'none (argmax)', views))

        inputs = {**inputs, 'checkpoint': trained['sha256']}
        title = 'scoring that segmenter on the validation images'
        result = self.steps.run(f'{name}_val', title, inputs, work, score_lines)
        return trained['checkpoint'], Score(**result)

    # --- maps and masks ---------------------------------------------------------------------------

    def make_and_score_masks(self, checkpoint: str) -> tuple[Path, dict[str, Any]]:
        """Write maps and masks of the training images and score them.

        Returns:
            The folder of masks; and the scores, coverage and threshold tables by name.
        """
        inputs = self.inputs(self.localizer, {'checkpoint': hash_file(checkpoint)})
        views = test_views(self.localizer)
        count = len(self.ids['train'])

        def write_maps(folder: Path) -> dict[str, Any]:
            check_report(make_maps(self.localizer, checkpoint, folder))
            return {}

        title = f'computing class maps (IS-CAM) of {count} training images, {views}'
        self.steps.run('maps', title, inputs, write_maps)
        maps = self.work_dir / 'maps'

        def write_masks(folder: Path) -> dict[str, Any]:
            check_report(make_masks(self.localizer, maps, folder))
            return self.score_folders(maps, folder, 'IS-CAM (SIPE)', views)

        title = 'turning the maps into masks, without a threshold, and scoring them'
        inputs = {**inputs, 'maps': folder_hash(maps)}
        ours = self.steps.run('masks', title, inputs, write_masks, folder_lines)
        title = 'for comparison: CAM of the same network, at its best threshold'
        cam = self.steps.run(
            'cam', title, inputs, lambda folder: self.make_cam(checkpoint, folder), folder_lines
        )
        return self.work_dir / 'masks', {'is_cam': ours, 'cam': cam}

    def make_cam(self, checkpoint: str, folder: Path) -> dict[str, Any]:
        """Maps of the general CAM, masks at the threshold that suits the ground truth best."""
        cfg = cam_config(self.localizer)
        check_report(make_maps(cfg, checkpoint, folder / 'maps'))
        with output_to(self.log):
            found = score_maps(folder / 'maps', self.truth, self.classes, self.ids['train'])
            threshold = float(found.content['best_threshold'])
            cfg.mask_cfg = threshold_masks(threshold, BEST_THRESHOLD)
            check_report(make_masks(cfg, folder / 'maps', folder / 'masks'))
        name, views = 'CAM of the same network', test_views(cfg)
        return self.score_folders(folder / 'maps', folder / 'masks', name, views, best=True)

    def score_folders(
        self, maps: Path, masks: Path, name: str, views: str, best: bool = False
    ) -> dict[str, Any]:
        """Score maps at every threshold, masks, and how much of parts and bodies masks cover.

        ``best`` says that the threshold of the masks is the best on the true ones.
        """
        ids = self.ids['train']
        with output_to(self.log):
            found = score_masks(masks, self.truth, self.classes, ids)
            table = score_maps(maps, self.truth, self.classes, ids)
        check_report(found.report)
        check_report(table.report)
        settings = read_record(masks).settings
        threshold = 'none (argmax over the maps, background included)'
        if settings['threshold'] is not None:
            threshold = f'{settings["threshold"]:.2f}, {settings["threshold_source"]}'
        score = mask_score(found.content, f'masks of {name}', 'train', threshold, views, best)
        keys = ('thresholds', 'mIoU', 'best_threshold', 'best_mIoU', 'argmax_mIoU', 'note')
        return {
            'score': asdict(score),
            'coverage': cover(masks, self.root, ids, self.classes),
            'maps': {key: table.content[key] for key in keys},
        }

    # --- report -----------------------------------------------------------------------------------

    def report(self, checkpoint: str, segmenter: str, scores: dict[str, Any]) -> dict[str, Any]:
        """Write picture and report."""
        rows = [Score(**scores['cam']['score']), Score(**scores['is_cam']['score'])]
        rows += [scores[key] for key in ('segmenter', 'segmenter_true_masks') if key in scores]
        ids = self.ids['val'][: self.plan.pictures]
        content = {
            'scores': [asdict(row) for row in rows],
            'coverage': {key: scores[key]['coverage'] for key in ('cam', 'is_cam')},
            'maps': {key: scores[key]['maps'] for key in ('cam', 'is_cam')},
            'data': self.data,
            'classes': self.classes,
            'picture': ids,
            'version': mmwsss.__version__,
        }

        def work(folder: Path) -> dict[str, Any]:
            self.make_picture_files(checkpoint, folder, ids)
            whole = {**content, 'seconds': dict(self.steps.seconds)}
            panel, record, page = files
            draw_picture(panel, self.picture_rows(folder, ids), self.classes)
            write_json(record, whole)
            with output_to(self.log):
                write_run_report(self.work_dir, page, ReportOptions(images=SHOWN_IMAGES))
            return whole

        inputs = {**content, 'checkpoint': hash_file(checkpoint), 'segmenter': hash_file(segmenter)}
        files = [self.work_dir / name for name in REPORT_FILES]
        title = 'drawing the picture and writing the report'
        result = self.steps.run('report', title, inputs, work, files=files)
        self.say(f'Report: {self.work_dir / "report.html"} (and report.json, panel.png beside it)')
        return result

    def make_picture_files(self, checkpoint: str, folder: Path, ids: Sequence[str]) -> None:
        """Maps of both kinds and masks of the validation images in the picture."""
        configs = {'maps': copy.deepcopy(self.localizer), 'cam': cam_config(self.localizer)}
        with output_to(self.log):
            for name, cfg in configs.items():
                cfg.map_dataset.ann_file = 'ImageSets/Segmentation/val.txt'
                check_report(make_maps(cfg, checkpoint, folder / name, ids=ids))
            check_report(make_masks(configs['maps'], folder / 'maps', folder / 'masks', ids=ids))

    def picture_rows(self, folder: Path, ids: Sequence[str]) -> list[PictureRow]:
        """What the picture shows of each image."""
        num_classes = len(self.classes)
        predictions = self.work_dir / 'segmenter_val' / 'masks'
        return [
            PictureRow(
                name=name,
                image=load_rgb(self.root / 'JPEGImages' / f'{name}.jpg', name),
                cam=load_class_maps(folder / 'cam' / f'{name}.npz', num_classes),
                is_cam=load_class_maps(folder / 'maps' / f'{name}.npz', num_classes),
                mask=load_mask(folder / 'masks' / f'{name}.png', num_classes),
                truth=load_mask(self.truth / f'{name}.png', num_classes),
                prediction=load_mask(predictions / f'{name}.png', num_classes),
            )
            for name in ids
        ]


def check_head(cfg: Config) -> None:
    """Refuse a localizer that has no threshold-free masks.

    Raises:
        ValueError: The config's head is no ``SIPEHead``, or its masks need a threshold.
    """
    if cfg.model.head.type != 'SIPEHead':
        raise ValueError(f'the demo needs a SIPEHead, but got {cfg.model.head.type}')
    if mask_settings(cfg)['threshold'] is not None:
        raise ValueError('the demo shows masks without a threshold, but mask_cfg names one')


def check_report(report: BatchReport) -> None:
    """Stop when an image failed.

    Raises:
        RuntimeError: Names the failed images and their errors.
    """
    if report.failed:
        raise RuntimeError(report.summary())


def cam_config(cfg: Config) -> Config:
    """The config whose maps are the general CAM inside the same network."""
    cfg = copy.deepcopy(cfg)
    cfg.model.head.update(test_map='cam', estimated_background=False)
    return cfg


def threshold_masks(threshold: float, source: str) -> dict[str, Any]:
    """A ``mask_cfg`` with one background threshold and where it comes from."""
    refiner = dict(type='BackgroundThreshold', threshold=threshold)
    return dict(refiners=[refiner], threshold_source=source, uses_ground_truth=True)


def run_names(name: str, folder: Path) -> dict[str, Any]:
    """Settings of a run of its own: MMEngine keeps one visualizer, with its log, for each name."""
    return {'work_dir': str(folder), 'experiment_name': name, 'visualizer.name': str(folder)}


def batch_size(cfg: Config) -> int:
    """Images in a training step."""
    return cfg.train_dataloader.batch_size


def test_views(cfg: Config) -> str:
    """Scales and mirroring of a localizer's prediction, for people."""
    test_cfg = cfg.model.test_cfg
    scales = ', '.join(f'{scale:g}' for scale in test_cfg.scales)
    return f'scales {scales}, {"each with its mirror" if test_cfg.flip else "not mirrored"}'


def folder_hash(folder: Path) -> str:
    """Hash of what decides the content of a folder with a manifest."""
    return read_record(folder).sha256()


def mask_score(
    content: dict[str, Any],
    name: str,
    split: str,
    threshold: str,
    views: str,
    uses_ground_truth: bool = False,
) -> Score:
    """A :class:`Score` from what ``score_masks`` found."""
    return Score(
        name=name,
        miou=content['mIoU'],
        split=split,
        images=content['images'],
        threshold=threshold,
        views=views,
        uses_ground_truth=uses_ground_truth,
        iou=content['IoU'],
    )


def score_lines(result: dict[str, Any]) -> list[str]:
    """Lines about a scored segmenter."""
    return [Score(**result).line()]


def folder_lines(result: dict[str, Any]) -> list[str]:
    """Lines about maps and masks of a localizer."""
    lines, maps, pooled = score_lines(result['score']), result['maps'], result['coverage']['pooled']
    if maps['argmax_mIoU'] is not None:
        lines.append(
            f'the same maps at the best of {len(maps["thresholds"])} thresholds '
            f'({maps["best_threshold"]:g}): mIoU {percent(maps["best_mIoU"])} % '
            '[uses ground truth: only an evaluation aid]'
        )
    lines.append(
        f'masks cover {percent(pooled["part_recall"])} % of the distinctive parts and '
        f'{percent(pooled["body_recall"])} % of the plain bodies; '
        f'{percent(pooled["precision"])} % of what they name is right'
    )
    return lines


def cover(masks: Path, root: Path, ids: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    """Part and body coverage of a folder of masks, from ``SegmentationPart``."""
    total: dict[str, Any] = {}
    for name in ids:
        parts = load_mask(root / 'SegmentationPart' / f'{name}.png')
        truth = load_mask(root / 'SegmentationClass' / f'{name}.png', len(classes))
        counts = part_coverage(
            load_mask(find_mask(masks, name), len(classes)), truth, parts, len(classes)
        )
        total = {key: count + total.get(key, 0) for key, count in counts.items()}
    return jsonable(part_coverage_scores(total, classes[1:]))
