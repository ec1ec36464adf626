from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from mmengine.config import Config

from mmwsss.apis.maps import make_maps
from mmwsss.apis.masks import make_masks
from mmwsss.apis.report import ReportOptions, measure, write_run_report
from mmwsss.apis.run_folder import open_run, read_environment, read_scores, read_trainings
from mmwsss.apis.run_records import summary_score
from mmwsss.apis.train import build_runner
from mmwsss.evaluation import score_maps, score_masks
from mmwsss.functional import ia_miou
from mmwsss.io import load_mask, save_mask, write_json
from tests.browser import open_browser, why_no_browser
from tests.tiny_models import localizer_config

STEP = 'python tools/train.py <b> --seed 0'
ALL_PARTS = [
    'Scores', 'IoU per class', 'IoU by object size', 'Images: masks', 'Images: predictions',
    'Threshold curve (evaluation only)', 'Confusion of classes', 'Training', 'Time',
    'Environment and commands',
]  # fmt: skip


@pytest.fixture(scope='module')
def run(demo_root, tmp_path_factory):
    """A small run as a study leaves it, with predictions of a segmenter on the validation images."""
    root = tmp_path_factory.mktemp('runs') / 'tiny'
    cfg = Config(localizer_config(demo_root, work_dir=str(root / 'localizer')))
    build_runner(cfg).train()
    checkpoint = root / 'localizer' / 'epoch_2.pth'
    make_maps(cfg, checkpoint, root / 'maps')
    make_masks(cfg, root / 'maps', root / 'masks')
    truth = demo_root / 'SegmentationClass'
    classes = ['background', *(demo_root / 'classes.txt').read_text().split()]
    ids = (demo_root / 'ImageSets' / 'Segmentation' / 'train.txt').read_text().split()
    write_json(root / 'maps.json', score_maps(root / 'maps', truth, classes, ids).content)
    write_json(root / 'masks.json', score_masks(root / 'masks', truth, classes, ids).content)
    for name in ids[:3]:
        labels = load_mask(truth / f'{name}.png')
        save_mask(root / 'predictions' / f'{name}.png', np.where(labels == 255, 0, labels))
    (root / 'steps.json').write_text(json.dumps([{'command': STEP, 'seconds': 61.0}]))
    return root


@pytest.fixture(scope='module')
def page(run, tmp_path_factory):
    path = tmp_path_factory.mktemp('page') / 'report.html'
    write_run_report(run, path, ReportOptions(images=2))
    return path


def test_the_page_has_all_parts_and_loads_nothing(page, run):
    text = page.read_text()
    assert re.findall('<h2>([^<]+)</h2>', text) == ALL_PARTS
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert not re.search('https?://|<script', text)
    scores = {name: json.loads((run / name).read_text()) for name in ('maps.json', 'masks.json')}
    assert f'{100 * scores["maps.json"]["best_mIoU"]:.2f}' in text
    assert f'{100 * scores["masks.json"]["mIoU"]:.2f}' in text
    assert 'uses ground truth: evaluation only' in text
    assert 'threshold 0.3, from config; no CRF' in text
    assert 'scales 1, 0.5 with mirrors' in text
    assert 'after 1. BackgroundThreshold' in text
    assert 'errors of the mask' in text
    assert 'errors of the prediction' in text
    assert 'python tools/train.py &lt;b&gt; --seed 0' in text


@pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser())
@pytest.mark.parametrize(('width', 'height'), [(1200, 900), (375, 800)])
def test_a_browser_shows_the_page(page, tmp_path, width, height):
    with open_browser() as browser:
        browser.open(page, width, height)
        assert browser.run('return document.readyState') == 'complete'
        assert browser.run("return [...document.querySelectorAll('h2')].map(h => h.innerText)") == (
            ALL_PARTS
        )
        script = (
            'document.images.forEach ? 0 : 0; const all = [...document.images];'
            "all.forEach(i => i.loading = 'eager');"
            'return Promise.all(all.map(i => i.decode())).then(() => all.map(i => i.naturalWidth))'
        )
        widths = browser.run(script)
        assert len(widths) > 20
        assert min(widths) > 0
        wide = browser.run('return document.documentElement.scrollWidth')
        assert wide <= width, 'the page scrolls sideways'
        sizes = browser.run(
            "return [...document.querySelectorAll('.tiles img')].map(i => i.clientWidth)"
        )
        assert min(sizes) >= 100
        bars = browser.run(
            "return [...document.querySelectorAll('.bar i')].map(i => i.offsetHeight)"
        )
        assert bars
        assert min(bars) >= 4
        assert browser.errors() == []
        browser.screenshot(tmp_path / 'page.png')
        assert (tmp_path / 'page.png').stat().st_size > 5000


def test_hostile_names_do_nothing(run, demo_root, tmp_path):
    root = tmp_path / '"><img src=x onerror=alert(1)>'
    shutil.copytree(run, root)
    content = json.loads((root / 'masks.json').read_text())
    content['predictions'] = '<script>alert(2)</script>'
    (root / 'masks.json').write_text(json.dumps(content))
    path, _ = write_run_report(root, tmp_path / 'page.html', ReportOptions(images=1))
    text = path.read_text()
    assert '<script' not in text
    assert '<img src=x' not in text
    assert '&lt;script&gt;alert(2)' in text


def test_missing_parts_are_named_with_their_command(run, tmp_path):
    root = tmp_path / 'run'
    shutil.copytree(run / 'localizer', root / 'localizer')
    shutil.copytree(run / 'masks', root / 'masks')
    path, report = write_run_report(root, options=ReportOptions(images=0))
    assert path == root / 'report.html'
    missing = {part.part: part.command for part in report.missing}
    assert set(missing) == {
        'threshold curve', 'images with panels', 'predictions of a segmenter', 'commands',
    }  # fmt: skip
    assert missing['threshold curve'].startswith(
        f'python tools/eval_masks.py {root}/maps GT --maps'
    )
    text = path.read_text()
    assert 'Not in this report' in text
    assert 'Threshold curve' not in text
    # the score is counted from the masks where nobody scored them before
    assert [score.name for score in report.scores] == ['masks']
    assert report.scores[0].miou == pytest.approx(
        json.loads((run / 'masks.json').read_text())['mIoU']
    )


def test_moved_data_are_asked_for(run, tmp_path):
    root = tmp_path / 'run'
    shutil.copytree(run / 'masks', root / 'masks')
    _, report = write_run_report(root)
    assert any('true masks of these images were not found' in m.reason for m in report.missing)


def test_one_missing_image_costs_its_picture_only(run, demo_root, tmp_path):
    root, data = tmp_path / 'run', tmp_path / 'data'
    shutil.copytree(run / 'masks', root / 'masks')
    shutil.copytree(demo_root, data)
    (image,) = data.rglob('train_0000.jpg')
    config = tmp_path / 'config.py'
    Config(localizer_config(data)).dump(config)
    image.write_bytes(b'no image')
    _, report = write_run_report(root, options=ReportOptions(config=config, images=4))
    (gallery,) = report.galleries
    names = [picture.name for pictures in gallery.groups.values() for picture in pictures]
    assert len(names) == 7
    assert 'train_0000' not in names
    (missing,) = (m for m in report.missing if m.part == 'parts of the images of masks')
    assert missing.reason.startswith('train_0000: ')


def test_the_protocol_counts_the_scored_images(run, demo_root, tmp_path):
    root, truth = tmp_path / 'run', tmp_path / 'truth'
    shutil.copytree(run / 'masks', root / 'masks')
    truth.mkdir()
    for path in sorted((demo_root / 'SegmentationClass').glob('train_*.png'))[:3]:
        shutil.copy(path, truth)
    options = ReportOptions(ground_truth=truth, images=0)
    _, report = write_run_report(root, options=options)
    assert report.scores[0].protocol.endswith('; scored on 3 of these 8 images')


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match='is it a run'):
        write_run_report(tmp_path)
    with pytest.raises(FileNotFoundError, match='not found'):
        write_run_report(tmp_path / 'nothing')


def test_measured_scores_are_those_of_the_functions(run, demo_root):
    ids = (demo_root / 'ImageSets' / 'Segmentation' / 'train.txt').read_text().split()
    truth = {name: str(demo_root / 'SegmentationClass' / f'{name}.png') for name in ids}
    classes = ['background', *(demo_root / 'classes.txt').read_text().split()]
    found = measure(run / 'masks', truth, ids, classes)
    masks = [load_mask(run / 'masks' / f'{name}.png') for name in ids]
    true = [load_mask(path) for path in truth.values()]
    assert found.counts.sum() == sum((labels != 255).sum() for labels in true)
    for name, given, labels in zip(ids, masks, true):
        shares = []
        for c in range(len(classes)):
            both = ((given == c) & (labels == c)).sum()
            either = (((given == c) | (labels == c)) & (labels != 255)).sum()
            shares += [both / either] if either else []
        assert found.image_iou[name] == pytest.approx(np.mean(shares))
    from mmwsss.functional import ia_miou_from_records

    expected = ia_miou(masks, true, num_classes=len(classes))
    merged = ia_miou_from_records(found.records, len(classes))
    for key in ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L'):
        np.testing.assert_equal(merged[key], expected[key])


def test_training_curves_join_the_logs_of_a_resumed_training(tmp_path):
    for stamp, rows in {
        '20260101_000000': [
            {'step': 1, 'loss': 3.0, 'lr': 0.1},
            {'step': 2, 'loss': 2.0},
            {'step': 4, 'loss': 9.0},  # done again, with another step logged
        ],
        '20260101_000001': [
            {'step': 2, 'loss': 1.5},
            {'step': 3, 'loss': 1.0},
            {'step': 3, 'mIoU': 9},
        ],
    }.items():
        path = tmp_path / 'localizer' / stamp / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(['{broken', *map(json.dumps, rows)]))
    (training,) = read_trainings(open_run_of(tmp_path))
    assert training.name == 'localizer'
    assert training.losses == {'loss': ([1, 2, 3], [3.0, 1.5, 1.0])}
    assert training.metrics == {}  # one point is no curve


def open_run_of(root):
    (root / 'x.json').write_text('{}')
    return open_run(root)


def test_environment_comes_from_the_log_of_the_training(tmp_path):
    lines = ['System environment:', '    Python: 3.11.7 (main)', '    PyTorch: 2.13.0', '  - GCC 13.3',
             '    PyTorch compiling details: x', '    seed: 0', '2026 - INFO - loss: 3']  # fmt: skip
    path = tmp_path / 'localizer' / '20260101_000000' / '20260101_000000.log'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(lines))
    found = read_environment(open_run_of(tmp_path))
    assert found == {'Python': '3.11.7 (main)', 'PyTorch': '2.13.0', 'seed': '0'}


def test_summary_of_a_pipeline(run, tmp_path):
    root = tmp_path / 'run'
    shutil.copytree(run, root)
    score = {'what': 'masks', 'protocol': '8 train images, no CRF', 'mIoU': 12.34}
    score.update(
        per_class={'background': 50.0, 'lantern': None}, details={'uses_ground_truth': False}
    )
    test = {'what': 'segmenter x', 'protocol': 'p', 'mIoU': 20.0, 'metrics': {'IA-mIoU': 10.0}}
    steps = [{'stage': 'train', 'command': 'tools/train.py a.py', 'seconds': 2.0}]
    content = {'name': 'cam_demo', 'seed': 3, 'scores': [score, test], 'steps': steps}
    (root / 'summary.json').write_text(json.dumps(content))
    _, report = write_run_report(root, options=ReportOptions(images=0))
    assert report.title == 'cam_demo'
    first, second = report.scores[:2]
    assert (first.miou, first.iou) == (
        pytest.approx(0.1234), {'background': 0.5, 'lantern': None}
    )  # fmt: skip
    assert second.others == {'IA-mIoU': pytest.approx(0.1)}
    assert report.commands == [('python tools/train.py a.py', 2.0)]
    assert report.seconds == {'train': 2.0}
    assert report.environment['seed'] == '3'


SAYS_SO = 'the best on the ground truth'


def scores_with(run, tmp_path, change):
    """Scores of a report after a change of the run's masks.json."""
    root = tmp_path / 'run'
    shutil.copytree(run, root)
    content = json.loads((root / 'masks.json').read_text())
    content['predictions'] = str(root / 'masks')
    change(content)
    (root / 'masks.json').write_text(json.dumps(content))
    return {score.name: score for score in read_scores(open_run(root))[0]}


def test_what_a_score_says_of_ground_truth_is_read_not_guessed(run, tmp_path):
    def explicit(content):
        content['uses_ground_truth'] = True

    def not_by_its_text(content):
        content['uses_ground_truth'] = False
        content['manifest']['settings']['threshold_source'] = SAYS_SO

    def older(content):
        content.pop('uses_ground_truth', None)
        content['manifest']['settings']['threshold_source'] = SAYS_SO

    for i, (change, expected) in enumerate(
        ((explicit, True), (not_by_its_text, False), (older, True))
    ):
        scores = scores_with(run, tmp_path / str(i), change)
        assert scores['masks'].uses_ground_truth is expected, change.__name__


@pytest.mark.parametrize('place', ['score', 'details', 'older'])
@pytest.mark.parametrize('said', [True, False])
def test_what_a_summary_says_of_ground_truth(place, said):
    protocol = f'8 images, {"no threshold" if said else SAYS_SO}'
    score = {'what': 'masks', 'protocol': protocol, 'mIoU': 1.0}
    if place == 'older':
        score['protocol'] = f'8 images, {SAYS_SO if said else "no threshold"}'
    else:
        (score if place == 'score' else score.setdefault('details', {}))['uses_ground_truth'] = said
    assert summary_score(score).uses_ground_truth is said
