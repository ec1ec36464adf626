import numpy as np
import pytest


@pytest.fixture(autouse=True)
def numpy_seed():
    """Seed the generator that mmcv's transforms draw from; the returned function does it again."""

    def seed(value=0):
        np.random.seed(value)  # noqa: NPY002

    seed()
    return seed
