import pytest
from mmseg.utils import register_all_modules

import mmwsss  # noqa: F401
from tests.datasets.tiny import make_tiny


@pytest.fixture(scope='session', autouse=True)
def mmseg_scope():
    register_all_modules(init_default_scope=True)


@pytest.fixture
def tiny(tmp_path):
    """Root of three images with masks, XML files, a CSV and lists; see ``tests.datasets.tiny``."""
    return make_tiny(tmp_path)
