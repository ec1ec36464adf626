"""What each kind of stage checks before a pipeline runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsss.io import make_record
from mmwsss.pipeline.inputs import bases_of_configs, files_by_id
from mmwsss.pipeline.kinds import Maps, Masks, Score, Stage, Test, Train, files_below

RECAM = str(Path(__file__).parents[2] / 'configs' / 'recam' / 'recam_tiny_demo.py')


def test_initial_weights_that_another_stage_makes_are_not_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind = Train()
    with pytest.raises(FileNotFoundError, match=r'cam_tiny_demo.*\.pth'):
        kind.check(Stage('recam', 'train', RECAM))
    kind.check(Stage('recam', 'train', RECAM, options={'load_from': '{localizer}'}))


def test_a_list_may_be_of_another_stage(tmp_path):
    stage = Stage('maps', 'maps', 'c.py', arguments={'checkpoint': 'w', 'list': '{split}/a.txt'})
    words = Maps().command(stage, Config(), tmp_path, lambda text: text.replace('{split}', 'made'))
    assert words[-2:] == ['--list', 'made/a.txt']


def test_imported_masks_may_be_of_another_stage(tmp_path):
    stage = Stage('masks', 'masks', 'c.py', arguments={'imported': '{other}/png'})
    words = Masks().command(stage, Config(), tmp_path, lambda text: text.replace('{other}', 'made'))
    assert words[1:3] == ['--from', 'made/png']
    assert Masks().folders(stage) == []


@pytest.mark.parametrize(
    ('kind', 'name'),
    [(Masks(), 'imported'), (Masks(), 'maps'), (Score(), 'maps'), (Score(), 'masks')],
)
def test_folders_that_no_stage_makes_count(kind, name):
    assert kind.folders(Stage('s', 'x', 'c.py', arguments={name: 'theirs'})) == ['theirs']
    assert kind.folders(Stage('s', 'x', 'c.py', arguments={name: '{other}/png'})) == []


def test_configs_that_another_is_based_on_count(tmp_path):
    (tmp_path / 'bases').mkdir()
    (tmp_path / 'bases' / 'b.py').write_text('a = 1\n')
    (tmp_path / 'irn.py').write_text("_base_ = 'bases/b.py'\n")
    config = str(tmp_path / 'irn.py')
    found = bases_of_configs({'refiners': [{'config': config}, {'config': 'none.py'}]})
    assert set(found) == {f'{config}: irn.py', f'{config}: bases/b.py'}
    assert found[f'{config}: bases/b.py'] == tmp_path / 'bases' / 'b.py'


def test_what_a_test_predicts_is_what_others_read(tmp_path):
    for name in ('predictions/sub/a.png', 'vis/20260101.json', 'vis/a.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = Test().output_files(tmp_path, make_record('test'))
    assert found == {'sub/a.png': tmp_path / 'predictions' / 'sub' / 'a.png'}


def test_a_training_resumes_only_from_a_checkpoint_that_is_there(tmp_path):
    stage, cfg = Stage('localizer', 'train', RECAM), Config()
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_2.pth')
    assert '--resume' not in Train().command(stage, cfg, tmp_path, str)
    (tmp_path / 'iter_2.pth').touch()
    assert '--resume' in Train().command(stage, cfg, tmp_path, str)


def test_files_behind_links_count_as_inputs(tmp_path):
    (tmp_path / 'far').mkdir()
    (tmp_path / 'far' / 'a.png').touch()
    (tmp_path / 'root').mkdir()
    (tmp_path / 'root' / 'set').symlink_to(tmp_path / 'far')
    root = str(tmp_path / 'root')
    assert list(files_below(root)) == ['root/set/a.png']
    assert list(files_by_id(root, {'set/a'})) == [('set/a.png', f'{root}/set/a.png')]
    assert files_below(f'{root}/none') == {}
