import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import results_table as tool
from mmwsss.io import Protocol, Score
from mmwsss.io.record import BEST_OF_SWEEP
from mmwsss.pipeline.summary import StageSummary, Summary

ROOT = Path(__file__).parents[2]


def summary(seed, miou, threshold, name='maps_score', **metrics):
    protocol = Protocol('train', 9, threshold=threshold, threshold_source='config')
    score = Score('maps', protocol, {'mIoU': miou, **metrics})
    stage = StageSummary(
        name, 'score', 'c.py', 'python tools/eval_masks.py', 60.0, 'abc', '2026-01-01'
    )
    return Summary('cam', 'p.py', seed, '2 cores', stages=[replace(stage, scores=[score])])


def store(folder, runs):
    folder.mkdir()
    for run in runs:
        (folder / f'seed{run.seed}.json').write_text(json.dumps(asdict(run)))


MAPS = tool.Question(
    'Which?', (tool.Entry('cam', 'maps', 'CAM'), tool.Entry('sipe', 'maps', 'SIPE'))
)


BY_SIZE = MAPS._replace(metrics=tool.SIZE_SCORES, metric='IA_S')


def test_a_question_shows_mean_spread_and_differences_by_seed(tmp_path):
    for name, values in dict(cam=(0.3, 0.32, 0.34), sipe=(0.33, 0.31, 0.36)).items():
        found = zip(range(3), values, (0.2, 0.25, 0.2))
        store(tmp_path / name, [summary(*value) for value in found])
    text = tool.page(tool.read_runs(tmp_path), [MAPS])
    assert text.endswith("""
## Which?

3 seeds; 9 train images.

| | mIoU % | difference in mIoU | |
|---|---|---|---|
| CAM | 32.00 ± 2.00 |  | threshold 0.2, 0.25, 0.2: config |
| SIPE | 33.33 ± 2.52 | +1.33 ± 2.08 (2 of 3) | threshold 0.2, 0.25, 0.2: config |
""")


def test_what_differs_between_the_rows_stands_in_the_row():
    runs = {'cam': [summary(0, 0.3, 0.2)], 'sipe': [summary(0, 0.4, 0.3)]}
    lines = tool.question(runs, MAPS).splitlines()
    assert '1 seed; 9 train images.' in lines
    assert '| SIPE | 40.00 | +10.00 (1 of 1) | threshold 0.3: config |' in lines


def test_weights_of_a_package_go_by_the_name_of_their_file():
    run = summary(0, 0.3, 0.2)
    (score,) = run.stages[0].scores
    protocol = replace(score.protocol, initial_weights='package://net/models/n-9.pth')
    run.stages[0].scores[0] = replace(score, protocol=protocol)
    text = tool.page({'cam': [run]}, [MAPS._replace(entries=MAPS.entries[:1])])
    assert '1 seed; 9 train images, threshold 0.2: config, initial weights n-9.pth.' in text


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="results/sipe has no 'maps'"):
        tool.question({'cam': [summary(0, 0.3, 0.2)]}, MAPS)


def test_stages_that_score_the_same_are_told_apart():
    one, two = summary(0, 0.3, 0.2), summary(0, 0.4, 0.2, 'crf_maps_score')
    both = replace(one, stages=[*one.stages, *two.stages])
    assert [row.what for row in tool.rows([both])] == ['maps', 'maps (crf_maps)']


def test_a_segmenter_with_and_without_crf_has_two_rows():
    run = summary(0, 0.3, None)
    protocol = Protocol('val', 9)
    scores = [
        Score('segmenter', replace(protocol, crf=crf), {'mIoU': miou})
        for crf, miou in ((False, 0.4), (True, 0.5))
    ]
    stage = replace(run.stages[0], name='segmenter_score', kind='test', scores=scores)
    runs = {'cam': [replace(run, stages=[*run.stages, stage])]}
    for name, miou in (('segmenter', '40.00'), ('segmenter, CRF', '50.00')):
        assert tool.find(runs, tool.Entry('cam', name)).mean('mIoU') == miou


@pytest.mark.parametrize('source', ['config', BEST_OF_SWEEP])
def test_what_was_chosen_on_the_masks_says_so_once(source):
    run = summary(0, 0.3, 0.2)
    score = run.stages[0].scores[0]
    protocol = replace(score.protocol, threshold_source=source, uses_ground_truth=True)
    run.stages[0].scores[0] = replace(score, protocol=protocol)
    text = tool.question({'cam': [run], 'sipe': [summary(0, 0.4, 0.3)]}, MAPS)
    assert text.count('uses ground truth') == 1


def test_the_pages_are_what_the_stored_runs_say():
    pages = tool.generated(tool.read_runs(ROOT / 'results'))
    assert {path.name for path in pages} == {'results.md', 'README.md'}
    for path, wanted in pages.items():
        assert path.read_text('utf-8') == wanted, path


@pytest.mark.parametrize(
    ('seeds', 'verdict'),
    [
        ({0: 0.35}, '+5.00 (1 of 1) | 9 | one seed'),
        ({0: 0.35, 1: 0.33}, '+4.00 ± 1.41 (2 of 2) | 9 | holds'),
        ({0: 0.31, 1: 0.32}, '+1.50 ± 0.71 (2 of 2) | 9 | in sign only'),
        ({0: 0.35, 1: 0.29}, '+2.00 ± 4.24 (1 of 2) | 9 | open'),
        ({0: 0.25, 1: 0.29}, '-3.00 ± 2.83 (0 of 2) | 9 | does not hold'),
    ],
)
def test_a_claim_holds_if_all_seeds_agree_with_half_of_what_is_published(seeds, verdict):
    runs = {
        'cam': [summary(seed, 0.3, 0.2) for seed in seeds],
        'sipe': [summary(seed, miou, 0.2) for seed, miou in seeds.items()],
    }
    claim = tool.Claim('SIPE is better', 8.0, *reversed(MAPS.entries))
    row = f'| SIPE is better | mIoU +8.0 | {verdict} |'
    assert tool.page(runs, [], [claim]).count(row) == 1


def test_a_method_has_maps_masks_and_segmenter_side_by_side():
    runs = {
        'cam': [summary(0, 0.3, 0.2), summary(1, 0.4, 0.2)],
        'sipe': [summary(0, 0.5, 0.2)],
    }
    cam, sipe = MAPS.entries
    table = tool.method_table(runs, [tool.Method('CAM', cam), tool.Method('both', cam, None, sipe)])
    assert table.splitlines()[2:] == [
        '| CAM | 35.00 ± 7.07 |  |  | 2 | 1 |',
        '| both | 35.00 ± 7.07 |  | 50.00 | 2, 1 | 1 |',
    ]


@pytest.mark.parametrize(('shift', 'expected'), [(0, 47), (-600, 37)])
def test_minutes_are_of_the_stages_that_a_score_comes_from(shift, expected):
    def stage(name, kind, minutes, *reads):
        read = ' '.join(f'work_dirs/cam/{folder}' for folder in reads)
        return StageSummary(name, kind, command=f'mmwsss {kind} {read}', seconds=60 * minutes)

    def run(seed, shift):
        scored = replace(summary(seed, 0.5, 0.2).stages[0], name='masks_score', seconds=0.0)
        stages = [
            replace(stage('localizer', 'train', 30), seconds=1800 + shift),
            stage('sipe', 'train', 100),
            stage('maps', 'maps', 15, 'localizer/epoch_2.pth', 'maps'),
            stage('sipe_maps', 'maps', 100, 'sipe/epoch_2.pth', 'sipe_maps'),
            stage('masks', 'masks', 2, 'maps', 'masks'),
            replace(scored, command='mmwsss score --masks work_dirs/cam/masks'),
            stage('segmenter', 'train', 100, 'masks', 'segmenter'),
        ]
        return replace(summary(seed, 0.5, 0.2), stages=stages)

    unscored = replace(run(2, 0), stages=run(2, 0).stages[:1])
    method = tool.Method('CAM', masks=tool.Entry('cam', 'maps'))
    table = tool.method_table({'cam': [run(0, 0), run(1, shift), unscored]}, [method])
    assert table.endswith(f'| 2 | {expected} |')


def test_scores_by_size_are_columns():
    runs = {'cam': [], 'sipe': []}
    sizes = {'IA-mIoU': 0.15, 'IA_M': 0.09, 'IA_L': 0.25}
    for seed, small in ((0, 0.04), (1, 0.06)):
        runs['cam'].append(summary(seed, 0.2, 0.1, IA_S=small, **sizes))
        runs['sipe'].append(summary(seed, 0.2 + seed / 100, 0.1, IA_S=small + 0.01, **sizes))
    lines = tool.question(runs, BY_SIZE).splitlines()
    wanted = '20.50 ± 0.71 | 15.00 ± 0.00 | 6.00 ± 1.41 | 9.00 ± 0.00 | 25.00 ± 0.00'
    assert lines[-1] == f'| SIPE | {wanted} | +1.00 ± 0.00 (2 of 2) |'


def same_but_threshold(protocol):
    # A threshold that is chosen says of how many images, which differs by one or two between seeds.
    source = re.sub(r'of \d+ images', 'of some images', protocol.threshold_source)
    return replace(protocol, threshold=None, threshold_source=source)


def test_every_stored_run_says_what_it_is():
    runs = tool.read_runs(ROOT / 'results')
    assert runs
    for name, group in runs.items():
        for run in group:
            assert (ROOT / run.pipeline).is_file(), name
            assert (ROOT / 'results' / name / f'seed{run.seed}.json').is_file()
            assert run.hardware
            assert any(stage.command for stage in run.stages)
        for row in tool.rows(group):
            about = [same_but_threshold(score.protocol) for score in row.scores.values()]
            assert all(protocol == about[0] for protocol in about), (name, row.what)
            assert about[0].images
            assert about[0].split
            assert about[0].crf is not None
            assert all(0 <= score.miou <= 1 for score in row.scores.values())


def test_a_seed_without_a_score_by_size_is_named():
    sizes = {'IA-mIoU': 0.15, 'IA_M': 0.09, 'IA_L': 0.25}
    runs = [summary(0, 0.2, 0.1, IA_S=0.04, **sizes), summary(1, 0.2, 0.1, **sizes)]
    with pytest.raises(ValueError, match="seed 1 of 'maps' lacks IA_S"):
        tool.question({'cam': runs, 'sipe': runs}, BY_SIZE)


def test_a_table_that_cannot_be_made_ends_with_one_line(monkeypatch, capsys):
    def refuse(folder):
        raise ValueError('results/x/seed1.json: lacks IA_S')

    monkeypatch.setattr(tool, 'read_runs', refuse)
    monkeypatch.setattr('sys.argv', ['results_table.py', '--check'])
    assert tool.main() == 2
    assert capsys.readouterr().err == 'error: results/x/seed1.json: lacks IA_S\n'
