"""The time of a test, for the table of docs/swap.md."""

import time

import pytest


@pytest.fixture
def cpu_seconds(record_property):
    """Record the CPU time of the test in the JUnit report."""
    start = time.process_time()
    yield
    record_property('cpu_seconds', round(time.process_time() - start, 2))
