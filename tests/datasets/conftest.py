import logging

import pytest
from mmengine.logging import MMLogger

from tests.datasets.tiny import make_tiny


@pytest.fixture
def tiny(tmp_path):
    """Root of three images with masks, XML files, a CSV and lists; see ``tests.datasets.tiny``."""
    return make_tiny(tmp_path)


@pytest.fixture
def log():
    """What is logged while the test runs."""
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record)

    handler = Keep()
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lambda: [f'{r.levelname} {r.getMessage()}' for r in records]
    logger.removeHandler(handler)
