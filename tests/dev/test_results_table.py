import importlib.util
import json
import re
from pathlib import Path

import pytest

from generated_pages import markers

ROOT = Path(__file__).parents[2]
START, END = markers('results')


@pytest.fixture(scope='module')
def tool():
    path = ROOT / '.dev' / 'results_table.py'
    spec = importlib.util.spec_from_file_location('results_table', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def summary(seed, miou, threshold):
    score = dict(what='maps', protocol=f'9 images, threshold {threshold:g}', mIoU=miou)
    return dict(
        name='cam',
        seed=seed,
        code='abc',
        date='2026-01-01',
        hardware='2 cores',
        steps=[dict(command='python tools/train.py c.py', seconds=60.0)],
        scores=[{**score, 'threshold': threshold}],
    )


def test_rows_are_mean_and_spread_over_seeds(tool, tmp_path):
    folder = tmp_path / 'cam'
    folder.mkdir()
    for seed, miou, threshold in ((0, 30.0, 0.2), (1, 32.0, 0.25), (2, 34.0, 0.2)):
        (folder / f'seed{seed}.json').write_text(json.dumps(summary(seed, miou, threshold)))
    runs = tool.read_runs(tmp_path)
    assert list(tool.rows('cam', runs['cam'])) == [
        '| `cam` | maps | 32.00 ± 2.00 | 3 | 9 images, threshold 0.2, 0.25 |'
    ]
    text = tool.page(runs)
    assert 'Seeds 0, 1, 2; 1.0 minutes each on 2 cores; code abc, 2026-01-01' in text
    assert 'python tools/train.py c.py' in text
    readme = tool.readme_with_table(f'a\n{START}\nstale text\n{END}\nb\n', runs)
    assert 'stale text' not in readme
    assert '32.00 ± 2.00' in readme
    assert readme.endswith(f'{END}\nb\n')
    with pytest.raises(ValueError, match='must hold the markers'):
        tool.readme_with_table('no markers', runs)


@pytest.mark.parametrize('where', ['score', 'details'])
def test_what_was_chosen_on_the_masks_says_so(tool, where):
    run = summary(0, 30.0, 0.2)
    (score,) = run['scores']
    (score if where == 'score' else score.setdefault('details', {}))['uses_ground_truth'] = True
    (row,) = tool.rows('cam', [run])
    assert row.endswith('threshold 0.2, chosen on these masks: uses ground truth |')
    score['protocol'] += ': best of a sweep, uses ground truth'
    (row,) = tool.rows('cam', [run])
    assert row.count('ground truth') == 1


def test_the_pages_are_what_the_stored_runs_say(tool):
    runs = tool.read_runs(ROOT / 'results')
    assert runs
    assert (ROOT / 'docs' / 'results.md').read_text('utf-8') == tool.page(runs)
    readme = (ROOT / 'README.md').read_text('utf-8')
    assert tool.readme_with_table(readme, runs) == readme
    assert ROOT / 'docs' / 'pipelines.md' in tool.pages(runs)


def test_method_pages_hold_the_tables_of_their_runs(tool, tmp_path):
    runs = {'cam': [summary(0, 30.0, 0.2)]}
    page = 'a\n<!-- results: cam -->\nb\n<!-- results: sipe -->\nc\n'
    once = tool.method_page(page, runs)
    assert '| `cam` | maps | 30.00 | 1 |' in once
    assert 'No runs are stored yet.' in once
    assert [line for line in once.splitlines() if line in 'abc'] == ['a', 'b', 'c']
    assert tool.method_page(once, runs) == once
    pages = sorted((ROOT / 'docs' / 'methods').glob('*.md'))
    assert pages
    stored = tool.read_runs(ROOT / 'results')
    for path in pages:
        text = path.read_text('utf-8')
        assert tool.method_page(text, stored) == text, path.name


def test_scores_by_size_have_a_table_of_their_own(tool):
    runs = {'cam': [summary(seed, 30.0, 0.2) for seed in range(3)], 'sb': []}
    for seed, small in ((0, 4.0), (1, 6.0)):
        run = {**summary(seed, 20.0 + seed, 0.1), 'name': 'sb', 'tries_a_setting': True}
        run['scores'][0].update({'IA-mIoU': 15.0, 'IA_S': small, 'IA_M': 9.0, 'IA_L': 25.0})
        runs['sb'].append(run)
    row = (
        '| `sb` | 20.50 ± 0.71 | 15.00 ± 0.00 | 5.00 ± 1.41 | 9.00 ± 0.00 | 25.00 ± 0.00 | 2 | '
        '9 images, threshold 0.1 |'
    )
    head = '| run | mIoU % | IA-mIoU % | IA_S % | IA_M % | IA_L % | seeds | protocol |'
    text = tool.page(runs)
    assert (
        f'## By size of the objects\n\n{head}\n|---|---|---|---|---|---|---|---|\n{row}\n\n##'
        in text
    )
    assert '| `sb` | maps | 20.50 ± 0.71 | 2 |' in text
    page = tool.method_page('<!-- results: sb -->\n', runs)
    assert row in page
    assert '| maps |' not in page
    readme = tool.readme_with_table(f'{START}\n{END}', runs)
    assert '`cam`' in readme
    assert '`sb`' not in readme
    few = {'cam': runs['cam'][:2]}
    assert '`cam`' not in tool.readme_with_table(f'{START}\n{END}', few)
    assert 'By size' not in tool.page({'cam': runs['cam']})


def test_every_stored_run_says_what_it_is():
    paths = sorted((ROOT / 'results').glob('*/seed*.json'))
    assert paths
    for path in paths:
        run = json.loads(path.read_text('utf-8'))
        assert (ROOT / run['config']).is_file(), path
        assert run['seed'] == int(path.stem.removeprefix('seed'))
        assert run['steps']
        for score in run['scores']:
            assert 0 <= score.get('mIoU', score.get('body_recall')) <= 100
            assert 'images' in score['protocol']
            assert 'CRF' in score['protocol']


def test_a_seed_without_a_score_by_size_is_named(tool, tmp_path):
    folder = tmp_path / 'sb'
    folder.mkdir()
    for seed in range(2):
        run = {**summary(seed, 20.0, 0.1), 'name': 'sb'}
        run['scores'][0].update({'IA-mIoU': 15.0, 'IA_S': 4.0, 'IA_M': 9.0, 'IA_L': 25.0})
        if seed == 1:
            run['scores'][0].pop('IA_S')
            run['scores'][0]['IA_L'] = None
        (folder / f'seed{seed}.json').write_text(json.dumps(run))
    runs = tool.read_runs(tmp_path)
    path = re.escape(str(folder / 'seed1.json'))
    message = f"{path}: score 'maps' needs the numbers .*, but lacks IA_S, IA_L"
    with pytest.raises(ValueError, match=message):
        tool.page(runs)


def test_a_table_that_cannot_be_made_ends_with_one_line(tool, tmp_path, monkeypatch, capsys):
    def refuse(folder):
        raise ValueError('results/x/seed1.json: lacks IA_S')

    monkeypatch.setattr(tool, 'read_runs', refuse)
    monkeypatch.setattr('sys.argv', ['results_table.py', '--check'])
    assert tool.main() == 2
    assert capsys.readouterr().err == 'error: results/x/seed1.json: lacks IA_S\n'
