"""The page of a run that tools have left."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup
from mmengine.config import Config
from PIL import Image

import mmwsss.report
from mmwsss.datasets import VOC12WSSSDataset
from mmwsss.functional import ia_miou
from mmwsss.io import (
    Protocol,
    Score,
    load_mask,
    make_record,
    read_id_list,
    read_record,
    save_mask,
    write_record,
)
from mmwsss.io.record import percent
from mmwsss.report import Figure, ReportOptions, RunReport, write_run_report
from mmwsss.report.images import ImageIndex, StageResult, score_stage
from mmwsss.report.read import Stage
from mmwsss.report.write import duration, loss_charts, render_page
from tests.tiny_models import localizer_config

PAGE_SCRIPT = Path(mmwsss.report.__file__).parent / 'page.js'

PARTS = [
    'Scores', 'IoU per class', 'IoU by object size', 'About', 'Picture', 'Images: masks',
    'Images: test', 'More images', 'Threshold curve (evaluation only)', 'Confusion of classes',
    'Training', 'Time', 'Environment and commands',
]  # fmt: skip
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>\x00\udc80\'&amp;$x$'


class Text(HTMLParser):
    """Tags, attribute values and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ''
        self.feed(page)

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += f'{data} '


@pytest.fixture(scope='module')
def written(run, tmp_path_factory):
    """The page and what it says, with two sections of one's own."""
    folder = tmp_path_factory.mktemp('page')
    Image.new('RGB', (4, 3)).save(folder / 'panel.png')
    extra = {'About': Markup('<b>bold</b>'), 'Picture': Figure(folder / 'panel.png', 'what it is')}
    return write_run_report(run, folder / 'report.html', ReportOptions(images=2, extra=extra))


def test_the_page_has_all_parts_and_loads_nothing(written, run):
    path, report = written
    page = path.read_text()
    found = Text(page)
    assert report.missing == []
    assert re.findall('<h2>([^<]+)</h2>', page) == PARTS
    assert re.findall('<a href="#([^"]*)">', page) == re.findall('<section id="([^"]*)"', page)
    urls = [value for name, value in found.attributes if name in ('src', 'href', 'xlink:href')]
    assert all(url.startswith(('data:', '#')) for url in urls)
    assert not re.search('https?://', page)
    assert f'mmwsss report {run} --num-images 8' in page
    maps, masks = (
        read_record(run / 'maps_score').scores[0],
        read_record(run / 'masks.json').scores[0],
    )
    assert [name for name, _ in report.scores] == [
        'maps: maps at best threshold', 'masks', 'test: segmenter',
    ]  # fmt: skip
    for text in (
        percent(maps.miou), percent(masks.miou), maps.protocol.text(), masks.protocol.text(),
        'scales 1, 0.5 with mirrors', 'uses ground truth: evaluation only', 'after 1. BackgroundThreshold',
        'map: lantern', 'errors of the mask', 'errors of the prediction', 'PyTorch', '2.13.0',
        '1 min 1 s', 'would score', 'background threshold', 'bold', 'what it is',
    ):  # fmt: skip
        assert text in found.text, text


def test_scores_and_predictions_of_a_test_belong_together(written):
    _, report = written
    (score,) = (score for name, score in report.scores if name == 'test: segmenter')
    assert score.metrics == {'mIoU': 0.2, 'IA_S': None, 'IA_M': 0.125}  # as recorded
    assert set(score.per_class.values()) <= {1.0, None}  # of the predictions, which are the truth
    assert [stage.name for stage in report.stages] == ['masks', 'test']
    best = report.galleries[0].pictures['best'][0]
    titles = [layer.title for layer in best.layers]
    assert titles[0] == 'image'
    assert {'prediction', 'ground truth'} <= set(titles)


def test_best_and_worst_images_by_miou(written):
    _, report = written
    iou, pictures = report.stages[0].image_iou, report.galleries[0].pictures
    best, worst = ([p.name for p in pictures[heading]] for heading in ('best', 'worst'))
    assert [iou[name] for name in best] == sorted(iou.values(), reverse=True)[:2]
    assert [iou[name] for name in worst] == sorted(iou.values())[:2]


@pytest.mark.parametrize(('width', 'height'), [(1200, 900), (375, 800)])
def test_a_browser_shows_the_page(written, browser, tmp_path, width, height):
    browser.open(written[0], width, height)
    heads = browser.run("return [...document.querySelectorAll('h2')].map(h => h.innerText)")
    assert heads == PARTS
    script = (
        "const all = [...document.images]; all.forEach(i => i.loading = 'eager');"
        'return Promise.all(all.map(i => i.decode())).then(() => all.map(i => i.naturalWidth))'
    )
    widths = browser.run(script)
    assert len(widths) > 20
    assert min(widths) > 0
    wide = browser.run('return document.documentElement.scrollWidth')
    assert wide <= width, 'the page scrolls sideways'
    shown = "return [...document.querySelectorAll('{}')].map(i => i.{})"
    assert min(browser.run(shown.format('.tile', 'clientWidth'))) >= 100
    assert min(browser.run(shown.format('.bar i', 'offsetHeight'))) >= 4
    sizes = browser.run(shown.format('svg text', 'getBoundingClientRect().height'))
    assert min(sizes) >= 8, 'text of a chart is too small to read'
    assert browser.errors() == []
    browser.screenshot(tmp_path / 'page.png')
    assert (tmp_path / 'page.png').stat().st_size > 5000


def test_hostile_names_do_nothing(run, tmp_path):
    root = tmp_path / '"><img src=x onerror=alert(1)>'
    shutil.copytree(run, root)
    score = Score(HOSTILE, Protocol(notes=[HOSTILE]), {'mIoU': 0.5, HOSTILE: 0.5}, {HOSTILE: 0.5})
    record = replace(
        make_record('score', scores=[score]), command=HOSTILE, failed=[HOSTILE], complete=False
    )
    write_record(root / 'x.json', record)
    path, _ = write_run_report(
        root, tmp_path / 'page.html', ReportOptions(images=1, extra={HOSTILE: HOSTILE})
    )
    page = path.read_text('utf-8')
    found = Text(page)
    assert found.tags.count('script') == 1
    assert re.search('<script>(.*?)</script>', page, re.DOTALL)[1] == PAGE_SCRIPT.read_text()
    assert not any(name.startswith('on') for name, _ in found.attributes)
    assert not any(
        name == 'src' and not value.startswith('data:') for name, value in found.attributes
    )
    assert '\x00' not in page
    text = HOSTILE.replace('\x00', '\ufffd').replace('\udc80', '\ufffd')
    assert found.text.count(text) >= 7  # score, column, class, note, command, section, failed image
    assert any(text in (value or '') for _, value in found.attributes)


def test_missing_parts_are_named_with_their_command(run, tmp_path):
    root = tmp_path / 'run'
    for name in ('localizer', 'masks'):
        shutil.copytree(run / name, root / name)
    path, report = write_run_report(root, options=ReportOptions(images=0))
    assert path == root / 'report.html'
    missing = {part.part: part.command for part in report.missing}
    assert set(missing) == {'threshold curve', 'images with panels', 'predictions of a segmenter'}
    assert missing['threshold curve'].startswith(f'mmwsss score --gt FOLDER --maps {root}/maps')
    with pytest.raises(IsADirectoryError, match='the page to write is a folder'):
        write_run_report(root, tmp_path)
    page = path.read_text()
    assert 'Not in this report' in page
    assert 'Threshold curve' not in page
    # the score is counted from the masks where nobody scored them before
    ((name, score),) = report.scores
    recorded = read_record(run / 'masks.json').scores[0]
    assert (name, score.metrics) == ('masks', pytest.approx(recorded.metrics))
    assert score.per_class == pytest.approx(recorded.per_class)
    assert score.protocol == recorded.protocol


def test_a_folder_of_masks_is_named_where_it_is(run, tmp_path):
    shutil.copytree(run / 'masks', tmp_path / 'mine')
    _, report = write_run_report(tmp_path / 'mine', options=ReportOptions(images=0))
    (command,) = (part.command for part in report.missing if part.part == 'scores')
    assert f' --masks {tmp_path}/mine --out ' in command


def test_incomplete_stages_are_named_with_their_images(run, tmp_path):
    root = tmp_path / 'run'
    shutil.copytree(run / 'masks', root / 'masks')
    made = replace(
        read_record(root / 'masks'), complete=False, failed=['cat'], command='python x.py'
    )
    write_record(root / 'masks', made)
    _, report = write_run_report(root)
    (part,) = (part for part in report.missing if part.part == 'the rest of masks')
    assert 'images that failed: cat' in part.reason
    assert part.command == 'python x.py'
    assert any('no true masks of these images' in part.reason for part in report.missing)


def test_one_missing_image_costs_its_picture_only(run, demo_root, tmp_path):
    root, data = tmp_path / 'run', tmp_path / 'data'
    shutil.copytree(run / 'masks', root / 'masks')
    shutil.copytree(demo_root, data)
    config = tmp_path / 'config.py'
    Config(localizer_config(data)).dump(config)
    (data / 'JPEGImages' / 'train_0000.jpg').write_bytes(b'no image')
    _, report = write_run_report(root, options=ReportOptions(config=config, images=4))
    (gallery,) = report.galleries
    names = {picture.name for pictures in gallery.pictures.values() for picture in pictures}
    assert names == {f'train_000{i}' for i in range(1, 8)}
    (missing,) = (m for m in report.missing if m.part == 'parts of the images of masks')
    assert missing.reason.startswith('train_0000: ')


def test_measured_scores_are_those_of_the_functions(run, demo_root):
    ids = read_id_list(demo_root / 'ImageSets' / 'Segmentation' / 'train.txt')
    truth = {name: str(demo_root / 'SegmentationClass' / f'{name}.png') for name in ids}
    record = read_record(run / 'masks')
    stage = Stage('masks', run / 'masks', record)
    result = score_stage(stage, ImageIndex(truth=truth))
    masks = [load_mask(run / 'masks' / f'{name}.png') for name in ids]
    true = [load_mask(path) for path in truth.values()]
    assert result.counts.sum() == sum((labels != 255).sum() for labels in true)
    for name, given, labels in zip(ids, masks, true):
        shares = []
        for c in range(len(record.classes)):
            both = ((given == c) & (labels == c)).sum()
            either = (((given == c) | (labels == c)) & (labels != 255)).sum()
            shares += [both / either] if either else []
        assert result.image_iou[name] == pytest.approx(np.mean(shares))
    objects = [load_mask(demo_root / 'SegmentationObject' / f'{name}.png') for name in ids]
    expected = ia_miou(masks, true, objects, num_classes=len(record.classes))
    measured = result.instances.result()
    for key in ('IA-mIoU', 'IA_S', 'IA_M', 'IA_L'):
        np.testing.assert_equal(measured[key], expected[key])


def test_a_file_of_instances_has_cocos_names_for_vocs_classes(tmp_path):
    labels = np.zeros((12, 12), np.uint8)
    labels[:4, :4], labels[6:, 6:] = 1, 8
    for folder in ('gt', 'masks'):
        save_mask(tmp_path / folder / 'a.png', labels)
    boxes = {1: ('airplane', 0, 4), 2: ('cat', 6, 12)}
    content = {
        'images': [{'id': 1, 'file_name': 'a.jpg', 'height': 12, 'width': 12}],
        'categories': [{'id': i, 'name': name} for i, (name, *_) in boxes.items()],
        'annotations': [
            {'id': i, 'image_id': 1, 'category_id': i, 'iscrowd': 0,
             'segmentation': [[low, low, high, low, high, high, low, high]]}
            for i, (_, low, high) in boxes.items()
        ],
    }  # fmt: skip
    (tmp_path / 'instances.json').write_text(json.dumps(content))
    record = make_record('masks', VOC12WSSSDataset.METAINFO['classes'], ids=['a'])
    stage = Stage('masks', tmp_path / 'masks', record)
    index = ImageIndex(truth={'a': str(tmp_path / 'gt' / 'a.png')})
    result = score_stage(stage, index, tmp_path / 'instances.json')
    assert result.errors == {}
    assert result.instances.result()['IA-mIoU'] == 1


def test_masks_that_cannot_be_scored_count_as_failed(tmp_path):
    for name in 'ab':
        save_mask(tmp_path / 'gt' / f'{name}.png', np.array([[0, 1]]))
        save_mask(tmp_path / 'run' / 'masks' / f'{name}.png', np.array([[0, 1]]))
    (tmp_path / 'run' / 'masks' / 'b.png').write_bytes(b'no mask')
    write_record(tmp_path / 'run' / 'masks', make_record('masks', ['background', 'cat'], ids='ab'))
    options = ReportOptions(ground_truth=tmp_path / 'gt', images=0)
    _, report = write_run_report(tmp_path / 'run', options=options)
    (failed,) = report.failed
    assert failed.part == 'images of masks'
    assert '1 images could not be scored, first: b: ' in failed.reason
    about = report.scores[0][1].protocol
    assert (about.images, about.notes) == (1, ['1 other masks of this folder not scored'])


def test_scores_of_one_name_stay_apart_and_those_without_miou_have_their_own_table():
    scores = [('masks', Score('m', Protocol(), {'mIoU': v}, {'cat': v})) for v in (0.25, 0.75)]
    scores += [('coverage', Score('c', Protocol(), {'part_recall': 0.125}))]
    page = render_page(RunReport('title', scores=scores))
    first, second = re.findall('<table class="cards">.*?</table>', page, re.DOTALL)
    assert all(number in first for number in ('25.00', '75.00'))
    assert 'part_recall' not in first
    assert '12.50' in second
    assert page.count('<path') >= 2
    assert [page.count(f'>{number}</text>') for number in ('25.00', '75.00')] == [1, 1]


def test_a_loss_that_is_the_whole_loss_is_one_curve_with_both_names():
    line, other = ([1.0, 2.0], [0.5, 0.25]), ([1.0, 2.0], [0.5, 0.125])
    curves = {'loss': line, 'decode.loss_ce': line, 'aux.loss_ce': other, 'mIoU': line}
    (title, names, _), (metric, no_names, _) = loss_charts(curves)
    assert (title, names) == ('losses', ['loss = decode.loss_ce', 'aux.loss_ce'])
    assert (metric, no_names) == ('mIoU', [])


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0.2, '0 s'),
        (59.6, '1 min 0 s'),
        (218, '3 min 38 s'),
        (3599.7, '1 h 0 min'),
        (7260, '2 h 1 min'),
    ],
)
def test_durations_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_confusion_floor_and_what_is_confused_most(run):
    # 60 of 100 pixels are background and one of three classes does not occur: (60 + 0) / 2.
    counts = np.array([[50, 10, 0, 0], [10, 10, 0, 20], [0, 0, 0, 0]])
    stage = Stage('masks', run, read_record(run / 'masks'))
    result = StageResult(stage, ['background', 'cat', 'dog'], 1, None, counts)
    assert result.floor == ('background', pytest.approx(0.3))
    assert result.columns[-1] == 'undecided'
    assert result.most_confused(2) == [('cat', 'undecided', 0.5), ('cat', 'background', 0.25)]
    np.testing.assert_allclose(result.shares[0], [5 / 6, 1 / 6, 0, 0])
    assert np.isnan(result.shares[2]).all()


def test_a_folder_without_a_run_is_refused(tmp_path):
    (tmp_path / 'other.json').write_text(json.dumps([{'id': 1}]))
    with pytest.raises(ValueError, match='is it a run'):
        write_run_report(tmp_path)
    with pytest.raises(FileNotFoundError, match='not found'):
        write_run_report(tmp_path / 'nothing')
