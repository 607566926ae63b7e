"""docs/query.md has every view with its columns, and each of its queries runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from core.items import ItemRef
from core.sources import Source, SourceKind
from core.states import ItemState
from predictions.answer import ClassScore, Segment
from predictions.detections import Detections
from store.parts import encode_rows
from store.results import ResultRow
from store.view import View, ViewPart
from tables.records import records
from tables.sandbox import Sandbox
from tables.sources import Asked
from tables.views import MEANINGS, VIEWS

PAGE = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")
KEY = "results/part-000000.parquet"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """The views of a job in which each query finds something."""
    people = Detections(
        np.array([[0, 1, 40, 60], [1, 1, 40, 60], [5, 5, 9, 9]], np.float32),
        np.array([0.9, 0.45, 0.4]),
        np.array([0, 0, 1]),
        ("person", "boat"),
        keypoints=np.tile(np.linspace(1, 0.6, 17)[None, :, None], (3, 1, 3)),
        texts=("12:30", "A 12345", "x"),
    )
    some = {"task": "detect", "model": "m", "state": ItemState.SUCCEEDED, "width": 64, "height": 48}
    none = Detections(np.empty((0, 4)), np.empty(0), np.empty(0, int), ("person", "boat"))
    ground = Segment(1, "sky", 2, False, 9, (0, 0, 3, 3))
    rows = [
        ResultRow(ItemRef(0, "p/a.jpg", etag="e", size=9), **some, detections=people),
        ResultRow(ItemRef(1, "p/b.jpg", etag="e", size=9), **some, detections=none),
        ResultRow(ItemRef(2, "c.jpg"), **some, classes=(ClassScore("dog", 1, 0.5),)),
        ResultRow(ItemRef(3, "d.jpg"), **some, segments=(ground,)),
        ResultRow.quarantined(
            ItemRef(4, "e.jpg"), task="detect", model="m", reason="empty: no bytes"
        ),
    ]
    (tmp_path / "results").mkdir()
    (tmp_path / KEY).write_bytes(encode_rows(rows))
    part = ViewPart("j1", str(tmp_path), KEY, None, 5, 9, "items/none", 0, 5)
    view = View([part], (), {"": Source(SourceKind.FOLDER, "/data")})
    return Sandbox([Asked("j1", view)], threads=1, memory=1 << 30)


def test_every_query_finds_something(sandbox: Sandbox) -> None:
    block = re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    queries = [query for query in block[1].split(";") if query.strip()]
    assert len(queries) == 20
    for query in queries:
        assert list(records(sandbox.rows(query, 100))), query


def test_the_page_lists_every_view_with_its_columns() -> None:
    for view, columns in VIEWS.items():
        names = ", ".join(f"`{one.name}`" for one in columns)
        assert f"| `{view}` | {MEANINGS[view]} | {names} |" in PAGE
