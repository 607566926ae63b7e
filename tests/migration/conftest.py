from pathlib import Path

import pytest

from tests.databases import KINDS, PostgresDatabases


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'regatta.db'}"
    databases: PostgresDatabases = request.getfixturevalue("postgres_databases")
    return databases.new_unmigrated()
