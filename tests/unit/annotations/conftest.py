import pytest

from tests.bench import Bench


@pytest.fixture
def bench(sqlite_bench: Bench) -> Bench:
    """On SQLite: exports never ask which it is."""
    return sqlite_bench
