"""One run and one browser for all tests of the report."""

from __future__ import annotations

import pytest

from tests.browser import open_browser, why_no_browser
from tests.report.runs import small_run


@pytest.fixture(scope='package')
def run(demo_root, tmp_path_factory):
    """A run that tests read and copy."""
    return small_run(tmp_path_factory.mktemp('runs') / 'tiny', demo_root)


@pytest.fixture(scope='package')
def browser():
    if why_no_browser():
        pytest.skip(why_no_browser())
    with open_browser() as window:
        yield window
