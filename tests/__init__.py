import pytest

# Helpers whose asserts count with `python -O`, too.
pytest.register_assert_rewrite('tests.processes', 'tests.tools.run')
