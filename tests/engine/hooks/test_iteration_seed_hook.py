"""Randomness of the network belongs to seed, rank and iteration."""

from types import SimpleNamespace

import torch

from mmwsss.engine.hooks import IterationSeedHook


def drawn(seed, rank, iteration):
    runner = SimpleNamespace(seed=seed, rank=rank, iter=iteration)
    IterationSeedHook().before_train_iter(runner, batch_idx=0)
    return torch.rand(3).tolist()


def test_seed_rank_and_iteration_decide_and_nothing_else():
    with torch.random.fork_rng(devices=[]):
        found = [drawn(*where) for where in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
        assert len(set(map(tuple, found))) == 4
        torch.rand(5)
        assert drawn(1, 0, 0) == found[1]
