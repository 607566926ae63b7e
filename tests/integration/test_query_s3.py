"""SQL over results that lie in a bucket, as parts and as flat files."""

from collections.abc import Iterator
from uuid import uuid4

import duckdb
import numpy as np
import pytest

from core.errors import FatalError
from core.items import ItemRef
from core.sources import Source, SourceKind
from core.states import ItemState
from predictions.detections import Detections
from store import part_files
from store.locations import open_store, use_s3
from store.parts import encode_rows
from store.results import ResultRow
from store.s3.client import s3_client
from store.s3.options import S3Options
from store.view import View, ViewPart
from tables.columns import TABLES
from tables.complaints import complaint
from tables.files import TableFile
from tables.flatten import flatten
from tables.query import Question, asking
from tables.records import records
from tables.sandbox import Sandbox
from tables.sources import Asked, Files
from tests.buckets.server import Server

KEY = "results/part-000000.parquet"
SQL = "select job, item, label, uri from detections where score > 0.55 order by all"


@pytest.fixture
def options(moto_server: Server) -> Iterator[S3Options]:
    options = moto_server.options(max_attempts=1)
    use_s3(options)
    yield options
    use_s3(S3Options())


@pytest.fixture
def output(options: S3Options) -> str:
    """The URL of an output with one part."""
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    boxes = Detections(np.ones((2, 4)), np.array([0.5, 0.6]), np.array([0, 1]), ("a", "b"))
    item = ItemRef(0, "x.jpg")
    row = ResultRow(item, "detect", "m", ItemState.SUCCEEDED, detections=boxes)
    url = f"s3://{name}/out"
    open_store(url).put(KEY, encode_rows([row]))
    return url


def view(output: str) -> View:
    part = ViewPart("j1", output, KEY, None, 1, 5000, "items/none", 0, 1)
    return View([part], (), {"": Source(SourceKind.FOLDER, "s3://photos/2026/")})


@pytest.mark.parametrize("whole_bytes", [0, 1 << 20])
def test_parts_and_flat_files_give_the_same(
    output: str, whole_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_files, "_WHOLE_BYTES", whole_bytes)
    [read] = view(output).reads()
    keys = {}
    for name, table in flatten(read()).items():
        file = TableFile(name)
        file.write(table)
        keys[name] = [f"tables/{name}-00000.parquet"]
        open_store(output).put(keys[name][0], file.close())
    jobs = [Asked("j1", view(output)), Asked("j2", Files(output, keys))]
    sandbox = Sandbox(jobs, threads=2, memory=1 << 30)
    same = {"item": "x.jpg", "label": "b", "uri": "s3://photos/2026/x.jpg"}
    assert list(records(sandbox.rows(SQL, 10))) == [{"job": "j1", **same}, {"job": "j2", **same}]
    for name in TABLES:
        halves = [f"from \"{name}\" where job = '{job}'" for job in ("j1", "j2")]
        found = [[{**row, "job": ""} for row in records(sandbox.rows(half, 10))] for half in halves]
        assert found[0] == found[1]


def test_what_is_gone_is_named(output: str, options: S3Options) -> None:
    open_store(output).delete(KEY)
    question = Question([Asked("j1", view(output))], SQL, options, 1, 1 << 30, 60.0)
    with pytest.raises(FatalError, match="is missing in s3://"):  # noqa: SIM117
        with asking(60.0) as ask:
            list(ask(question).batches())
    files = Files(output, {"items": ["tables/items-0.parquet"]})
    sandbox = Sandbox([Asked("j1", files)], threads=1, memory=1 << 30)
    with pytest.raises(duckdb.Error) as caught:
        list(sandbox.rows("from items", 10))
    said = complaint(caught.value, "1 GB")
    assert isinstance(said, FatalError)
    assert str(said).startswith("the items of j1 cannot be read: ")
    assert "items-0.parquet" in str(said)
