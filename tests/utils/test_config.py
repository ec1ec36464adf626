import pytest

from mmwsss.pipeline import read_pipeline
from mmwsss.utils.config import load_config

TEXT = """
data_root = 'data/a'
pseudo_mask_dir = None
pretrained = 'w.pth'
train_dataloader = dict(
    batch_size=2,
    dataset=dict(type='X', data_root=data_root, pseudo_mask_dir=pseudo_mask_dir),
)
val_dataloader = dict(dataset=dict(type='X', data_root='elsewhere'))
model = dict(type='M', backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=pretrained)))
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / 'config.py'
    file.write_text(TEXT)
    return file


def test_shortcuts_reach_the_nested_values_derived_from_them(path):
    cfg = load_config(
        path, {'pseudo_mask_dir': 'masks', 'data_root': 'data/b', 'pretrained': 'new.pth'}
    )
    dataset = cfg.train_dataloader.dataset
    assert (dataset.data_root, dataset.pseudo_mask_dir) == ('data/b', 'masks')
    assert cfg.val_dataloader.dataset.data_root == 'elsewhere'
    assert cfg.model.backbone.init_cfg.checkpoint == 'new.pth'


@pytest.mark.parametrize(('key', 'nested'), [('tau', 'tau'), ('ewc_strength', 'strength')])
def test_shortcuts_reach_into_losses_and_lists_of_hooks(path, key, nested):
    path.write_text(
        f'{key} = 3.0\nmodel = dict(loss=dict({nested}={key}))\ncustom_hooks = [dict({nested}={key})]\n'
    )
    cfg = load_config(path, {key: 5.0})
    assert cfg.model.loss[nested] == cfg.custom_hooks[0][nested] == 5.0


def test_nested_options_and_runner_keys_pass(path):
    cfg = load_config(path, {'train_dataloader.batch_size': 4, 'work_dir': 'w', 'model.extra': 1})
    assert (cfg.train_dataloader.batch_size, cfg.work_dir, cfg.model.extra) == (4, 'w', 1)


def test_a_later_option_sets_a_part_of_an_earlier_ones_value(path):
    path.write_text('mask_cfg = dict(refiners=[])\n')
    refiners = [{'threshold': 0.2}, {'steps': 5}]
    cfg = load_config(path, {'mask_cfg.refiners': refiners, 'mask_cfg.refiners.0.threshold': 0.4})
    assert cfg.mask_cfg.refiners == [{'threshold': 0.4}, {'steps': 5}]


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        (
            'pseudo_mask_dri',
            r"no key 'pseudo_mask_dri'; the closest valid name is 'pseudo_mask_dir'",
        ),
        ('train_dataloder.batch_size', r"the closest valid name is 'train_dataloader'"),
        (
            'train_dataloader.datset.data_root',
            r"no key 'train_dataloader\.datset'.* 'dataset'$",
        ),
        (
            'train_dataloader.bath_size',
            r"no key 'train_dataloader\.bath_size'.* 'batch_size'$",
        ),
    ],
)
def test_misspelt_options_are_refused(path, option, message):
    with pytest.raises(ValueError, match=message):
        load_config(path, {option: 1})


def test_a_pipeline_is_no_model_and_a_model_no_pipeline(path):
    with pytest.raises(ValueError, match=r'describes a pipeline, .* mmwsss pipeline runs it'):
        load_config('configs/pipelines/demo.py')
    with pytest.raises(ValueError, match='has no stages: it is no pipeline'):
        read_pipeline(path)


def test_a_misspelt_key_of_the_file_is_refused(path):
    path.write_text(TEXT + '\nval_evaluater = dict()\n')
    with pytest.raises(
        ValueError, match=r"unknown key 'val_evaluater'; did you mean 'val_evaluator'\?"
    ):
        load_config(path)


def test_a_shortcut_that_reaches_nothing_is_refused(path):
    path.write_text("model = dict(type='M')\ntest_pipeline = []\n")
    assert load_config(path).test_pipeline == []
    with pytest.raises(ValueError, match=r"nothing in .* takes its 'checkpoint' from pretrained"):
        load_config(path, {'pretrained': 'w.pth'})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.py'):
        load_config(tmp_path / 'none.py')


def test_a_base_of_a_package_that_mmengine_does_not_know(tmp_path):
    (tmp_path / 'base.py').write_text("_base_ = 'mmother::cam/cam_tiny_demo.py'\n")
    (tmp_path / 'c.py').write_text("_base_ = './base.py'\n")
    with pytest.raises(
        ValueError, match=r'c\.py: a _base_ names a package \(PACKAGE::FILE\) whose'
    ):
        load_config(tmp_path / 'c.py')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("a = {}['foo']\n", "fails: KeyError: 'foo'"),
        ('raise AssertionError(3)\n', 'fails: AssertionError: 3'),
        ('model = dict(\n', 'fails: SyntaxError: '),
        ('max_iters = nmax\n', "fails: NameError: name 'nmax' is not defined"),
        ('model = [1, 2]\n', r': model must be a dict, but got \[1, 2\]'),
    ],
)
def test_errors_of_a_config_name_it(tmp_path, text, message):
    (tmp_path / 'c.py').write_text(text)
    with pytest.raises(ValueError, match=rf'c\.py.*{message}'):
        load_config(tmp_path / 'c.py')


@pytest.mark.parametrize(
    ('loop', 'key'),
    [
        ("type='IterBasedTrainLoop', max_iters=9", 'max_epochs'),
        ('by_epoch=False, max_iters=9', 'max_epochs'),
        ('max_epochs=9', 'max_iters'),
    ],
)
def test_epochs_where_a_training_counts_steps_are_refused(path, loop, key):
    path.write_text(f'train_cfg = dict({loop})\n')
    load_config(path)
    with pytest.raises(
        ValueError, match=rf'train_cfg\.{key} is no argument of \w+TrainLoop, which takes'
    ):
        load_config(path, {f'train_cfg.{key}': 5})
