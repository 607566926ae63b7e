"""Programs that know nothing of Regatta, and read what it exported."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotations.export import Exported, Wish, export_job
from annotations.formats import FORMATS
from annotations.images import Images
from store.tables import Job
from tests.bench import Bench

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / "build/readers/bin/python"

Read = Callable[..., Any]
Export = Callable[..., Exported]


@pytest.fixture
def bench(sqlite_bench: Bench) -> Bench:
    """On SQLite: exports never ask which it is."""
    return sqlite_bench


@pytest.fixture
def export(bench: Bench, tmp_path: Path) -> Export:
    """Exports a job below the test's folder."""

    def run(job: Job, form: str, out: str, **wishes: Any) -> Exported:
        known = FORMATS[form]
        if known.pictures:
            wishes = {"images": Images.LEAVE, **wishes}
        return export_job(bench.db, job, str(tmp_path / out), Wish(known, **wishes))

    return run


@pytest.fixture(scope="session")
def read() -> Read:
    """Runs a script beside this file in the readers' environment; returns the JSON it prints."""

    def run(script: str, *words: str | Path) -> Any:
        ended = subprocess.run(
            [PYTHON, HERE / script, *words],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONUTF8": "1"},
        )
        assert not ended.returncode, ended.stderr
        return json.loads(ended.stdout)

    return run
