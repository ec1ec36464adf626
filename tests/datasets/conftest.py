import pytest

from tests.datasets.tiny import make_tiny


@pytest.fixture
def tiny(tmp_path):
    """Root of three images with masks, XML files, a CSV and lists; see ``tests.datasets.tiny``."""
    return make_tiny(tmp_path)
