from __future__ import annotations

import pytest

from mmwsss.pipeline import read_pipeline
from tests.pipeline.pipelines import ROOT

PIPELINES = sorted((ROOT / 'configs' / 'pipelines').glob('*.py'))
STAGES = {
    'a': dict(run='train', config='one'),
    'b': dict(run='maps', config='one', checkpoint='{a}'),
    'c': dict(run='train', config='two', options={'pseudo_mask_dir': '{b}'}),
}
CONFIGS = {
    'one': 'configs/cam/cam_tiny_demo.py',
    'two': 'configs/deeplabv2/deeplabv2_tiny_demo_pseudo.py',
}


def write(tmp_path, **content):
    path = tmp_path / 'p.py'
    content = {'configs': CONFIGS, 'stages': STAGES, **content}
    path.write_text(''.join(f'{key} = {value!r}\n' for key, value in content.items()))
    return path


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_there_are_pipelines():
    assert len(PIPELINES) >= 8


@pytest.mark.parametrize('path', PIPELINES, ids=lambda path: path.stem)
def test_pipelines_of_the_repository_are_in_order(path):
    spec = read_pipeline(path)
    names = [stage.name for stage in spec.stages]
    for i, stage in enumerate(spec.stages):
        assert set(stage.needs) <= set(names[:i])
    kinds = [stage.kind for stage in spec.stages]
    if path.stem.startswith(('localizers_', 'refiners_')):  # all maps and masks are scored
        assert kinds.count('score') == kinds.count('masks') + kinds.count('maps')
        return
    assert kinds.count('test') >= 1
    trained = [stage for stage in spec.stages if 'pseudo_mask_dir' in stage.options]
    if path.stem == 'custom_partial':  # has a segmenter only
        return
    if path.stem.startswith('true_masks'):
        assert not trained
        return
    assert {'train', 'maps', 'masks'} <= set(kinds)
    assert trained, 'some training reads masks of the pipeline'
    for stage in trained:  # masks of a list would be too few
        (source,) = (n for n in names if stage.options['pseudo_mask_dir'] == f'{{{n}}}')
        assert 'list' not in spec.stage(source).arguments


def test_references_make_the_order(tmp_path):
    stages = {'z': dict(run='masks', config='one', maps='{b}'), **STAGES}
    spec = read_pipeline(write(tmp_path, stages=stages))
    assert [stage.name for stage in spec.stages] == ['a', 'b', 'z', 'c']
    assert spec.stage('c').reads == ('b',)


def test_options_reach_the_stages_they_name(tmp_path):
    path = write(tmp_path, options={'one': {'model.head.dropout': 0.3}})
    options = {
        'one.model.test_cfg.flip': False,
        'b.model.test_cfg.stride': 4,
        'data_root': 'elsewhere',
        'one.mask_cfg.refiners.0.threshold': 0.5,
        'seed': 7,
    }
    spec = read_pipeline(path, options)
    assert spec.seed == 7
    settings = {key: value for key, value in options.items() if '.' in key}
    entry = {'stages.b.options': {'mask_cfg.refiners.0.threshold': 0.4}}
    assert spec.options == settings  # what a summary names
    assert read_pipeline(path, {**options, **entry}).options == {**settings, **entry}
    assert spec.stage('a').options == {
        'model.head.dropout': 0.3,
        'model.test_cfg.flip': False,
        'mask_cfg.refiners.0.threshold': 0.5,
        'data_root': 'elsewhere',
    }
    assert spec.stage('b').options == {
        **spec.stage('a').options,
        'model.test_cfg.stride': 4,
    }
    assert spec.stage('c').options == {'pseudo_mask_dir': '{b}', 'data_root': 'elsewhere'}
    assert read_pipeline(path, {'seed': 1}, seed=2).seed == 2
    for option in ('c.pseudo_mask_dir', 'two.pseudo_mask_dir'):  # not the entry's
        own = read_pipeline(path, {option: 'mine'}).stage('c')
        assert (own.options['pseudo_mask_dir'], own.reads) == ('mine', ())


def test_a_child_replaces_and_removes_stages(tmp_path):
    write(tmp_path)
    child = tmp_path / 'child.py'
    child.write_text("_base_ = './p.py'\nstages = dict(c=None, b=dict(checkpoint='x.pth'))\n")
    spec = read_pipeline(child)
    assert [stage.name for stage in spec.stages] == ['a', 'b']
    assert spec.stage('b').reads == ()


@pytest.mark.parametrize(
    ('content', 'error', 'message'),
    [
        (dict(stage={}), ValueError, "'stage' is unknown; the closest valid name is 'stages'"),
        (dict(stages={}), ValueError, 'has no stages'),
        (
            dict(stages={'a': dict(config='one')}),
            ValueError,
            'run None is unknown; valid names are train',
        ),
        (dict(stages={'a': dict(run='trian')}), ValueError, "the closest valid name is 'train'"),
        (dict(stages={'a': dict(run='train')}), TypeError, "needs .'config'."),
        (dict(stages={'a': dict(run='maps', config='one')}), TypeError, "needs .'checkpoint'."),
        (
            dict(stages={'a': dict(run='maps', config='one', chekpoint='x')}),
            ValueError,
            "'chekpoint' is unknown; the closest valid name is 'checkpoint'",
        ),
        (
            dict(stages={'b': dict(run='maps', config='one', checkpoint='{aa}')}),
            ValueError,
            "the stage 'aa' is unknown",
        ),
        (
            dict(
                stages={
                    'a': dict(run='maps', config='one', checkpoint='{b}'),
                    'b': dict(run='maps', config='one', checkpoint='{a}'),
                }
            ),
            ValueError,
            'need each other: a, b',
        ),
        (
            dict(
                stages={
                    **STAGES,
                    'd': dict(
                        run='masks',
                        config='one',
                        maps='{b}',
                        options={'mask_cfg.refiners': '{b:config}'},
                    ),
                }
            ),
            ValueError,
            'needs a stage that trains',
        ),
        (dict(configs=dict(one='none.py')), FileNotFoundError, 'config not found: none.py'),
        (
            dict(options={'tow': {}}),
            ValueError,
            "'tow' is unknown; the closest valid name is 'two'",
        ),
        (dict(check_data='often'), ValueError, "check_data 'often' is unknown"),
    ],
)
def test_mistakes_in_the_config(tmp_path, content, error, message):
    with pytest.raises(error, match=message):
        read_pipeline(write(tmp_path, **content))


TYPO = {'train_cfg.max_iter': 60}


@pytest.mark.parametrize(
    ('content', 'options', 'stage', 'config'),
    [
        ({}, {'two.train_cfg.max_iter': 60}, 'c', 'two'),
        ({}, {'c.train_cfg.max_iter': 60}, 'c', 'two'),
        (dict(options={'two': TYPO}), {}, 'c', 'two'),
        (dict(options={'a': TYPO}), {}, 'a', 'one'),
        (dict(stages={'a': dict(run='train', config='one', options=TYPO)}), {}, 'a', 'one'),
    ],
)
def test_misspelt_options_are_told_before_anything_runs(tmp_path, content, options, stage, config):
    path = write(tmp_path, **content)
    with pytest.raises(ValueError, match='has no key') as caught:
        read_pipeline(path, options)
    assert str(caught.value) == (
        f'{path}: stage {stage!r}: option train_cfg.max_iter: {CONFIGS[config]} has no key '
        "'train_cfg.max_iter'; the closest valid name is 'max_iters'"
    )


def test_values_of_options_may_be_references(tmp_path):
    spec = read_pipeline(write(tmp_path), {'two.pseudo_mask_dir': '{b}', 'b.pretrained': '{a}'})
    assert spec.stage('c').options == {'pseudo_mask_dir': '{b}'}
    with pytest.raises(ValueError, match=r"no key 'pseudo_mask_dri'; .* 'pseudo_mask_dir'"):
        read_pipeline(write(tmp_path), {'two.pseudo_mask_dri': '{b}'})


def test_a_stage_without_config_takes_no_options(tmp_path):
    stages = {**STAGES, 'two': dict(run='tool', tool='x.py'), 'd': dict(run='tool', tool='x.py')}
    path = write(tmp_path, stages=stages)
    spec = read_pipeline(path, {'two.train_cfg.max_iters': 2})  # the config of this name has some
    assert spec.stage('c').options['train_cfg.max_iters'] == 2
    with pytest.raises(ValueError, match=r"stage 'd': option 'x', but it has no config"):
        read_pipeline(path, {'d.x': 2})


@pytest.mark.parametrize(('name', 'close'), [('tow', 'two'), ('stage', 'stages')])
def test_a_misspelt_config_or_stage_on_the_command_line(tmp_path, name, close):
    with pytest.raises(ValueError, match=rf'{name}\.x: .*has no key.* {name!r}; .* {close!r}'):
        read_pipeline(write(tmp_path), {f'{name}.x': 1})


def test_mistakes_on_the_command_line(tmp_path):
    path = write(tmp_path)
    with pytest.raises(ValueError, match=r'pretrained: .*name in front, e\.g\. one\.pretrained'):
        read_pipeline(path, {'pretrained': 'x.pth'})
    with pytest.raises(FileNotFoundError, match='pipeline config not found'):
        read_pipeline(tmp_path / 'q.py')


def test_configs_that_fail_are_named(tmp_path):
    path = write(tmp_path, configs={**CONFIGS, 'one': str(tmp_path / 'one.py')})
    (tmp_path / 'one.py').write_text('model = dict(\n')
    with pytest.raises(ValueError, match=r'config .*one\.py fails: SyntaxError'):
        read_pipeline(path)
    path.write_text('stages = nowhere\n')
    with pytest.raises(ValueError, match=r"fails: NameError: name 'nowhere' is not defined"):
        read_pipeline(path)
