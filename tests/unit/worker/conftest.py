from pathlib import Path

import pytest

from core.work import WorkUnit
from tests.bench import MODEL
from tests.workshop import work_unit


@pytest.fixture
def unit(tmp_path: Path) -> WorkUnit:
    """A claimed shard, none of whose files exist."""
    return work_unit(MODEL, source=tmp_path / "source", output=tmp_path / "output")
