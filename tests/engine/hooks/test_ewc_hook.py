from __future__ import annotations

import math
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from mmengine.dist import is_distributed
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import HOOKS, MODELS, OPTIM_WRAPPERS
from mmseg.structures import SegDataSample
from torch import nn
from torch.utils.data import Dataset

import mmwsss  # noqa: F401  registers
from mmwsss.engine.hooks.ewc_hook import EWCHook, load_fisher_file
from mmwsss.utils.checkpoint import load_checkpoint_file
from tests.tools.run import free_port

SIZE = 8


@MODELS.register_module(force=True)
class ToyBackbone(nn.Module):
    """Two convolutions with normalisation and dropout, which the Fisher estimate must not touch."""

    def __init__(self, norm=True, dropout=0.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, images):
        return (self.dropout(self.norm(self.conv(images)).relu()),)


class ToyDataset(Dataset):
    """Eight images that are the same in every process; uneven: with more and more labelled pixels."""

    classes = ('background', 'a', 'b')

    def __init__(self, uneven=False):
        self.uneven = uneven
        self.metainfo = dict(classes=self.classes)

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image = torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
        labels = torch.zeros(1, SIZE, SIZE, dtype=torch.long)
        labels[0, : 2 + index % 4], labels[0, 6, index % 8], labels[0, 7] = 1, 2, 255
        labels[0, 7, : index * self.uneven] = 0
        sample = SegDataSample(gt_sem_seg=PixelData(data=labels))
        sample.set_metainfo(dict(img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE)))
        return dict(inputs=image, data_samples=sample)


PLAIN_LOSS = dict(type='CrossEntropyLoss', avg_non_ignore=True)


def toy_model(seed=0, loss=PLAIN_LOSS, **backbone):
    torch.manual_seed(seed)
    return EncoderDecoder(
        backbone=dict(type='ToyBackbone', **backbone),
        decode_head=dict(
            type='FCNHead',
            in_channels=4,
            in_index=0,
            channels=4,
            num_convs=0,
            concat_input=False,
            num_classes=3,
            dropout_ratio=0.0,
            loss_decode=loss,
        ),
        data_preprocessor=SegDataPreProcessor(mean=[127.5] * 3, std=[60.0] * 3, size=(SIZE, SIZE)),
        test_cfg=dict(mode='whole'),
    )


@OPTIM_WRAPPERS.register_module(force=True)
class BFloat16Wrapper(OptimWrapper):
    """Mixed precision on the CPU, where mmengine's AmpOptimWrapper refuses to work."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


class Record(Hook):
    """Keeps the logged losses of each iteration."""

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(
            {key: float(torch.as_tensor(value).detach()) for key, value in outputs.items()}
        )


EWC = dict(
    type='EWCHook',
    strength=50.0,
    task_b_begin=3,
    task_b_loss=dict(decode_head=dict(type='SizeBalancedCrossEntropyLoss', tau=5.0)),
)


def toy_runner(
    work_dir,
    hook=EWC,
    *,
    model=None,
    iters=6,
    batch_size=4,
    wrapper=None,
    uneven=False,
    **options,
):
    hooks = [Record()] if hook is None else [Record(), HOOKS.build(hook)]
    return Runner(
        model=toy_model() if model is None else model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=ToyDataset(uneven),
            batch_size=batch_size,
            sampler=dict(type='InfiniteSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
            num_workers=0,
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9), **(wrapper or {})),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False)),
        custom_hooks=hooks,
        default_scope='mmseg',
        experiment_name=f'ewc_{work_dir.name}_{os.urandom(4).hex()}',
        log_level='WARNING',
        **{'randomness': dict(seed=0), **options},
    )


def run(work_dir, *args, **options):
    """Train; return the parameters, the losses of each iteration and the runner."""
    runner = toy_runner(work_dir, *args, **options)
    runner.train()
    record = next(hook for hook in runner.hooks if isinstance(hook, Record))
    model = runner.model.module if hasattr(runner.model, 'module') else runner.model
    return {n: p.detach().clone() for n, p in model.named_parameters()}, record.losses, runner


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory):
    """A run of six iterations, the last three in task B."""
    work_dir = tmp_path_factory.mktemp('whole')
    return work_dir, *run(work_dir, {**EWC, 'save_fisher': 'fisher.pth'})


def test_tasks_follow_each_other(whole_run):
    _, _, losses, runner = whole_run
    for of_iteration in losses[:3]:
        assert set(of_iteration) == {'loss', 'decode.loss_ce', 'decode.acc_seg'}
    for of_iteration in losses[3:]:
        assert set(of_iteration) == {'loss', 'decode.loss_sw', 'decode.acc_seg', 'loss_ewc'}
        assert of_iteration['loss'] == pytest.approx(
            of_iteration['decode.loss_sw'] + of_iteration['loss_ewc'], rel=1e-5
        )
    assert losses[3]['loss_ewc'] == 0
    assert losses[4]['loss_ewc'] > 0
    assert not runner.model._forward_hooks
    logged = runner.message_hub.log_scalars
    assert 'train/decode.loss_ce' not in logged
    assert logged['train/decode.loss_sw'].mean() == pytest.approx(
        sum(one['decode.loss_sw'] for one in losses[3:]) / 3, rel=1e-5
    )


def test_task_a_is_plain_training(tmp_path, whole_run):
    _, plain, _ = run(tmp_path, None, iters=3)
    assert plain == whole_run[2][:3]


def test_fisher_is_the_mean_squared_gradient_of_single_images(whole_run):
    work_dir = whole_run[0]
    state = load_fisher_file(work_dir / 'fisher.pth')
    model = toy_model()
    checkpoint = load_checkpoint_file(work_dir / 'iter_3.pth')
    assert 'ewc' not in checkpoint
    model.load_state_dict(checkpoint['state_dict'])
    model.eval()
    expected = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for i in range(8):
        item = ToyDataset()[i]
        logits = model.encode_decode(
            (item['inputs'].float()[None] - 127.5) / 60, [dict(img_shape=(SIZE, SIZE))]
        )
        loss = nn.functional.cross_entropy(
            logits, item['data_samples'].gt_sem_seg.data, ignore_index=255
        )
        model.zero_grad()
        loss.backward()
        for name, parameter in model.named_parameters():
            expected[name] += parameter.grad.square() / 8
    assert state['num_images'] == 8
    assert state['fisher'].keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(state['fisher'][name], value, rtol=1e-4, atol=1e-9)
        torch.testing.assert_close(state['anchors'][name], checkpoint['state_dict'][name])


@pytest.mark.parametrize('at', [2, 3, 5])
def test_resumed_equals_uninterrupted(tmp_path, whole_run, at):
    work_dir, parameters, losses, _ = whole_run
    resumed, later, _ = run(
        tmp_path, model=toy_model(seed=9), load_from=str(work_dir / f'iter_{at}.pth'), resume=True
    )
    assert later == losses[at:]
    for name, value in parameters.items():
        assert torch.equal(resumed[name], value), name


def test_checkpoints_of_task_b_load_safely(whole_run):
    work_dir = whole_run[0]
    stored = load_checkpoint_file(work_dir / 'iter_6.pth')['ewc']
    assert stored['task_b_begin'] == 3
    from_file = load_fisher_file(work_dir / 'fisher.pth')
    from_checkpoint = load_fisher_file(work_dir / 'iter_6.pth')
    for name, value in from_file['fisher'].items():
        assert torch.equal(from_checkpoint['fisher'][name], value)


def test_the_strong_stay_near_their_anchor(tmp_path, whole_run):
    free, _, _ = run(tmp_path / 'free', {**EWC, 'strength': 0.0}, iters=12)
    held, _, _ = run(tmp_path / 'held', {**EWC, 'strength': 200.0}, iters=12)
    state = load_fisher_file(whole_run[0] / 'fisher.pth')

    def distance(parameters):
        return sum(
            (state['fisher'][name] * (parameters[name] - anchor).square()).sum().item()
            for name, anchor in state['anchors'].items()
        )

    assert distance(held) < 0.5 * distance(free)


def test_estimation_disturbs_nothing(tmp_path):
    """Random numbers, batch statistics, modes and gradients are as without the estimation."""
    hook = {**EWC, 'strength': 0.0, 'task_b_loss': None}
    kwargs = dict(iters=5, randomness=dict(seed=3))
    for name in ('with', 'without'):
        given = hook if name == 'with' else None
        model = toy_model(dropout=0.3)
        model.backbone.conv.eval()
        _, losses, runner = run(tmp_path / name, given, model=model, **kwargs)
        if name == 'with':
            expected, statistics = losses, runner.model.backbone.norm.running_mean.clone()
    assert [x['decode.loss_ce'] for x in losses] == [x['decode.loss_ce'] for x in expected]
    assert torch.equal(runner.model.backbone.norm.running_mean, statistics)


def test_gradient_accumulation_counts_the_penalty_once(tmp_path):
    """Two halves of a batch, accumulated, do what the batch does."""
    results = []
    for name, batch_size, counts in (('one', 4, 1), ('two', 2, 2)):
        hook = {**EWC, 'task_b_begin': 2 * counts, 'task_b_loss': None}
        parameters, losses, _ = run(
            tmp_path / name,
            hook,
            model=toy_model(norm=False),
            iters=6 * counts,
            batch_size=batch_size,
            wrapper=dict(accumulative_counts=counts),
        )
        assert losses[-1]['loss_ewc'] > 0
        results.append(parameters)
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-4, atol=1e-6)


def test_mixed_precision(tmp_path):
    _, losses, _ = run(tmp_path, wrapper=dict(type='BFloat16Wrapper'))
    assert losses[3]['loss_ewc'] == 0
    assert losses[5]['loss_ewc'] > 0
    assert losses[5]['loss'] == pytest.approx(
        losses[5]['decode.loss_sw'] + losses[5]['loss_ewc'], rel=1e-2
    )


def test_run_that_starts_at_task_b(tmp_path, whole_run):
    """From the checkpoint at the end of task A, with the stored or with a new estimate."""
    work_dir, _, losses, _ = whole_run
    for name, extra in (
        ('stored', dict(fisher_file=str(work_dir / 'fisher.pth'))),
        ('checkpoint', dict(fisher_file=str(work_dir / 'iter_5.pth'))),
        ('estimated', {}),
    ):
        hook = {**EWC, 'task_b_begin': 0, **extra}
        _, got, _ = run(tmp_path / name, hook, iters=2, load_from=str(work_dir / 'iter_3.pth'))
        assert got[0]['loss_ewc'] == 0
        assert got[0]['decode.loss_sw'] > 0
        assert got[1]['loss_ewc'] > 0
    assert losses[3]['decode.loss_sw'] > 0


def test_run_that_ends_with_task_a_writes_its_fisher(tmp_path, whole_run):
    hook = {**EWC, 'save_fisher': 'sub/fisher.pth'}
    run(tmp_path, hook, iters=3)
    got = load_fisher_file(tmp_path / 'sub' / 'fisher.pth')
    expected = load_fisher_file(whole_run[0] / 'fisher.pth')
    for name, value in expected['fisher'].items():
        assert torch.equal(got['fisher'][name], value)


def test_subset_of_images_and_of_losses(tmp_path):
    hook = {**EWC, 'num_images': 3, 'fisher_losses': ['decode.loss_ce'], 'save_fisher': 'f.pth'}
    run(tmp_path, hook, iters=4)
    assert load_fisher_file(tmp_path / 'f.pth')['num_images'] == 3
    with pytest.raises(ValueError, match=r"fisher_losses: loss 'loss_x' is unknown; .*decode"):
        run(tmp_path / 'wrong', {**hook, 'fisher_losses': ['loss_x']}, iters=4)


def test_fisher_of_one_of_two_losses(tmp_path):
    more = dict(PLAIN_LOSS, loss_name='loss_more', loss_weight=3.0)
    found = []
    for chosen in (['decode.loss_ce'], None):
        hook = {**EWC, 'fisher_losses': chosen, 'save_fisher': 'f.pth'}
        run(tmp_path / str(chosen), hook, model=toy_model(loss=[PLAIN_LOSS, more]), iters=3)
        found.append(load_fisher_file(tmp_path / str(chosen) / 'f.pth')['fisher'])
    one, both = found
    assert any(value.any() for value in one.values())
    for name, value in one.items():  # squares of gradients that are four times as large
        torch.testing.assert_close(both[name], 16 * value)


def test_frozen_and_new_parameters(tmp_path, whole_run):
    """A frozen convolution is not anchored, a new module is free, both train on in task B."""
    work_dir = whole_run[0]
    model = toy_model()
    model.backbone.conv.requires_grad_(False)
    run(tmp_path / 'a', {**EWC, 'save_fisher': 'f.pth'}, model=model, iters=4)
    fisher = load_fisher_file(tmp_path / 'a' / 'f.pth')['fisher']
    assert not any(name.startswith('backbone.conv') for name in fisher)
    assert 'decode_head.conv_seg.weight' in fisher
    begin = {**EWC, 'task_b_begin': 0, 'fisher_file': str(tmp_path / 'a' / 'f.pth')}
    before = {n: p.detach().clone() for n, p in toy_model().named_parameters()}
    after, losses, _ = run(tmp_path / 'b', begin, iters=2)
    assert losses[1]['loss_ewc'] > 0
    assert not torch.equal(after['backbone.conv.weight'], before['backbone.conv.weight'])
    frozen = toy_model()
    for parameter in frozen.backbone.parameters():
        parameter.requires_grad_(False)
    begin = {**EWC, 'task_b_begin': 0, 'fisher_file': str(work_dir / 'fisher.pth')}
    start = load_checkpoint_file(work_dir / 'iter_3.pth')['state_dict']
    start['backbone.conv.weight'] += 1  # far from its anchor, but frozen: it adds nothing
    torch.save({'state_dict': start}, tmp_path / 'start.pth')
    options = dict(iters=2, load_from=str(tmp_path / 'start.pth'))
    after, losses, _ = run(tmp_path / 'c', begin, model=frozen, **options)
    assert losses[0]['loss_ewc'] == 0
    assert losses[1]['loss_ewc'] > 0
    assert torch.equal(after['backbone.conv.weight'], start['backbone.conv.weight'])


def test_a_file_that_does_not_fit_is_refused(tmp_path, whole_run):
    state = load_fisher_file(whole_run[0] / 'fisher.pth')
    hook = {**EWC, 'task_b_begin': 0, 'fisher_file': str(tmp_path / 'f.pth')}
    for values in (state['fisher'], state['anchors']):
        values['decode_head.extra.weight'] = torch.ones(2)
    torch.save(state, tmp_path / 'f.pth')
    with pytest.raises(
        ValueError, match=r"decode_head\.extra\.weight' must have one shape .*'fisher': \(2,\)"
    ):
        run(tmp_path / '1', hook)
    for values in (state['fisher'], state['anchors']):
        del values['decode_head.extra.weight']
        values['backbone.conv.bias'] = torch.ones(5)
    torch.save(state, tmp_path / 'f.pth')
    with pytest.raises(
        ValueError, match=r"backbone\.conv\.bias' must have one shape .*'model': \(4,\)"
    ):
        run(tmp_path / '2', hook)
    torch.save({'state_dict': {}}, tmp_path / 'f.pth')
    with pytest.raises(ValueError, match=r'f\.pth holds no Fisher information'):
        run(tmp_path / '3', hook)
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        run(tmp_path / '4', {**hook, 'fisher_file': str(tmp_path / 'none.pth')})


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(fisher_file='none.pth'), r'none\.pth'),
        (dict(fisher_dataset=dict(type='NoDataset')), 'NoDataset'),
        (dict(fisher_losses=['decode.loss_cee']), "loss 'decode.loss_cee' is unknown"),
    ],
)
def test_what_task_b_needs_is_looked_at_in_the_first_iteration(tmp_path, wrong, message):
    runner = toy_runner(tmp_path, {**EWC, **wrong})
    with pytest.raises((FileNotFoundError, KeyError, ValueError), match=message):
        runner.train()
    assert runner.iter == 0


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, whole_run):
    resume = dict(load_from=str(whole_run[0] / 'iter_5.pth'), resume=True)
    with pytest.raises(ValueError, match=r'task_b_begin=4, but .* began at 3'):
        run(tmp_path / '1', {**EWC, 'task_b_begin': 4}, **resume)
    run(tmp_path / 'plain', None, iters=5)
    resume['load_from'] = str(tmp_path / 'plain' / 'iter_5.pth')
    with pytest.raises(ValueError, match=r'resumed at iteration 5 .*without EWCHook'):
        run(tmp_path / '2', **resume)


def test_a_task_b_that_never_begins_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'task_b_begin must be at most the 2 iterations .* is 3'):
        toy_runner(tmp_path, iters=2).train()


def test_size_weights_of_task_b_leave_no_class_out_where_there_is_no_background(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(ToyDataset, 'classes', ('soil', 'dot', 'bar'))
    with pytest.raises(ValueError, match=r'leaves class 0 \(soil\) out as background'):
        toy_runner(tmp_path).train()


def test_malformed_arguments(tmp_path):
    for strength in (-1, math.inf):
        message = rf'strength must lie in \[0, inf\), but got {strength}'
        with pytest.raises(ValueError, match=message):
            EWCHook(strength=strength)
    for begin in (-1, 2.5):
        with pytest.raises(ValueError, match=rf'task_b_begin must be an integer >= 0, .*{begin}'):
            EWCHook(task_b_begin=begin)
    with pytest.raises(ValueError, match=r'num_images must lie in \[1, inf\], but got 0'):
        EWCHook(num_images=0)
    wrong = {**EWC, 'task_b_loss': dict(head=dict(type='CrossEntropyLoss'))}
    with pytest.raises(ValueError, match=r"task_b_loss: head 'head' is unknown; .* '?decode_head"):
        run(tmp_path, wrong)


GLOBAL_LOSS = dict(type='GlobalCrossEntropyLoss')
GLOBAL_EWC = {
    **EWC,
    'task_b_loss': dict(decode_head=dict(type='SizeBalancedCrossEntropyLoss', normalize='weights')),
    'save_fisher': 'fisher.pth',
    'num_images': 7,  # one more for the first process, whose losses ask nobody meanwhile
}


def train_one_rank(rank, port, folder):
    """Entry of a spawned process: its half of each batch, and of the images for the Fisher."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    model = MMDistributedDataParallel(toy_model(norm=False, loss=GLOBAL_LOSS))
    options = dict(model=model, batch_size=2, uneven=True, launcher='pytorch')
    parameters, losses, _ = run(Path(folder), GLOBAL_EWC, **options)
    if not is_distributed() or losses[5]['loss_ewc'] <= 0:
        raise RuntimeError('the ranks did not train together')
    torch.save(parameters, Path(folder, f'rank{rank}.pth'))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_equal_one(tmp_path):
    torch.multiprocessing.spawn(train_one_rank, (free_port(), str(tmp_path / 'two')), nprocs=2)
    model = toy_model(norm=False, loss=GLOBAL_LOSS)
    expected, _, _ = run(tmp_path / 'one', GLOBAL_EWC, model=model, batch_size=4, uneven=True)
    one, two = (load_fisher_file(tmp_path / name / 'fisher.pth') for name in ('one', 'two'))
    assert two['num_images'] == one['num_images'] == 7
    for name, value in expected.items():
        torch.testing.assert_close(two['fisher'][name], one['fisher'][name], rtol=1e-4, atol=1e-8)
        for rank in range(2):
            got = torch.load(tmp_path / 'two' / f'rank{rank}.pth', weights_only=True)
            torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-6)
