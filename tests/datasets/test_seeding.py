# ruff: noqa: NPY002, S311 - the global generators are what is tested
import random

import numpy as np
import pytest

from mmwsss.datasets.samplers import SeededSampler
from mmwsss.datasets.seeding import decode_key, encode_key, seeded_item


class KeyedList(list):
    accepts_item_keys = True


@pytest.mark.parametrize(
    ('index', 'epoch', 'seed'), [(0, 0, 0), (9, 3, 7), (4, 16000000, 2**32 - 1)]
)
def test_keys_round_trip(index, epoch, seed):
    key = encode_key(index, epoch, seed, size=10)
    assert key >= 10
    assert decode_key(key, 10) == (index, epoch, seed)


def test_a_plain_index_is_left_alone():
    assert decode_key(3, 10) == (3, None, None)
    assert decode_key(10, 10) == (10, None, None)  # past the end, but no key
    assert decode_key(-1, 10) == (-1, None, None)


@pytest.mark.parametrize(('index', 'epoch', 'seed'), [(0, -1, 0), (0, 0, 2**32)])
def test_out_of_range(index, epoch, seed):
    with pytest.raises(ValueError, match=f'but got {epoch} and {seed}'):
        encode_key(index, epoch, seed, size=10)


def test_seeded_item_repeats_and_restores():
    np.random.seed(1)
    random.seed(1)
    before = (np.random.rand(), random.random())
    np.random.seed(1)
    random.seed(1)
    with seeded_item(12345678901234567890):
        first = (np.random.rand(), random.random())
    assert (np.random.rand(), random.random()) == before
    with seeded_item(12345678901234567890):
        assert (np.random.rand(), random.random()) == first
    with seeded_item(5):
        assert np.random.rand() != first[0]


def test_each_epoch_is_a_permutation_and_differs():
    sampler = SeededSampler(KeyedList(range(7)), seed=3)
    first = [decode_key(key, 7) for key in sampler]
    sampler.set_epoch(1)
    second = [decode_key(key, 7) for key in sampler]
    assert sorted(key.position for key in first) == list(range(7))
    assert {key.epoch for key in first} == {0}
    assert {key.epoch for key in second} == {1}
    assert {key.seed for key in first + second} == {3}
    orders = [[key.position for key in keys] for keys in (first, second)]
    other = SeededSampler(KeyedList(range(7)), seed=9)
    orders.append([decode_key(key, 7).position for key in other])
    assert len({*map(tuple, orders), tuple(range(7))}) == 4


def test_without_shuffling_the_order_stays():
    sampler = SeededSampler(KeyedList(range(7)), shuffle=False, seed=3)
    assert [decode_key(key, 7).position for key in sampler] == list(range(7))


def of_rank(dataset, rank, world_size, **kwargs):
    sampler = SeededSampler(dataset, seed=0, **kwargs)
    sampler.rank, sampler.world_size = rank, world_size
    return sampler


@pytest.mark.parametrize('infinite', [False, True])
def test_two_ranks_interleave_to_the_order_of_one(infinite):
    dataset = KeyedList(range(8))
    one = iter(of_rank(dataset, 0, 1, infinite=infinite))
    ranks = [iter(of_rank(dataset, rank, 2, infinite=infinite)) for rank in range(2)]
    steps = 20 if infinite else 8
    assert [next(ranks[i % 2]) for i in range(steps)] == [next(one) for _ in range(steps)]


def test_an_odd_number_is_rounded_up_evenly():
    dataset = KeyedList(range(5))
    shares = [list(of_rank(dataset, rank, 2)) for rank in range(2)]
    assert [len(share) for share in shares] == [3, 3] == [len(of_rank(dataset, 0, 2))] * 2
    assert len({*shares[0], *shares[1]}) == 5


def test_infinite_goes_on_with_the_next_epoch():
    stream = iter(of_rank(KeyedList(range(3)), 0, 1, infinite=True))
    assert [decode_key(next(stream), 3).epoch for _ in range(7)] == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize('rank', [0, 1])
def test_skip_continues_the_stream(rank):
    stream = iter(of_rank(KeyedList(range(5)), rank, 2, infinite=True))
    expected = [next(stream) for _ in range(20)]
    sampler = of_rank(KeyedList(range(5)), rank, 2, infinite=True)
    sampler.skip(7)
    skipped = iter(sampler)
    assert [next(skipped) for _ in range(13)] == expected[7:]


def test_datasets_without_keys_are_refused():
    with pytest.raises(TypeError, match='item keys such as WSSSDataset, but got list'):
        SeededSampler([1, 2], seed=0)


@pytest.mark.parametrize('epoch_size', [3, 8, 20])
def test_epochs_of_another_size_cut_the_same_stream(epoch_size):
    dataset = KeyedList(range(8))
    sampler = of_rank(dataset, 0, 1, epoch_size=epoch_size)
    keys = []
    for epoch in range(4):
        sampler.set_epoch(epoch)
        keys += list(sampler)
        assert len(keys) == (epoch + 1) * len(sampler) == (epoch + 1) * epoch_size
    stream = iter(of_rank(dataset, 0, 1, infinite=True))
    assert keys == [next(stream) for _ in keys]


def test_epoch_size_counts_the_items_of_all_ranks():
    dataset = KeyedList(range(4))
    one = of_rank(dataset, 0, 1, epoch_size=10)
    ranks = [of_rank(dataset, rank, 2, epoch_size=10) for rank in range(2)]
    assert [len(sampler) for sampler in ranks] == [5, 5]
    for sampler in (one, *ranks):
        sampler.set_epoch(1)
    shares = [list(sampler) for sampler in ranks]
    assert list(one) == [key for pair in zip(*shares, strict=True) for key in pair]


@pytest.mark.parametrize('options', [dict(epoch_size=0), dict(epoch_size=5, infinite=True)])
def test_wrong_epoch_size(options):
    with pytest.raises(ValueError, match='epoch_size must be a positive integer or None, and None'):
        SeededSampler(KeyedList(range(3)), seed=0, **options)


@pytest.mark.parametrize('size', [2.5, 4.0, '4'])
def test_epoch_size_is_an_integer(size):
    with pytest.raises(
        ValueError, match=rf'epoch_size must be a positive integer or None.* but got {size!r}'
    ):
        SeededSampler(KeyedList(range(3)), seed=0, epoch_size=size)
    assert len(SeededSampler(KeyedList(range(3)), seed=0, epoch_size=np.int64(4))) == 4
