from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from annotations.class_list import ClassList
from annotations.narrowing import EVERYTHING, Thresholds, narrowed
from core.states import ItemState
from predictions.answer import ClassScore
from store.parts import encode_rows, print_rows, read_table
from store.results import ResultRow
from store.view import VIEW_SCHEMA
from tests.found import boxes, broken, row

LABELS = ("boat", "buoy", "gull")
KNOWN = dict(enumerate(LABELS))


def view(rows: list[ResultRow]) -> pa.Table:
    table = read_table(encode_rows(rows))
    places = [pa.repeat(pa.scalar(text), len(table)) for text in ("j", "/out", "/in")]
    return pa.table([*places, *table.columns], schema=VIEW_SCHEMA)


def found(table: pa.Table) -> list[Any]:
    lists = [row["detections"] for row in print_rows(table)]
    return [one and [(each["label"], each["class_id"]) for each in one] for one in lists]


def rows() -> list[ResultRow]:
    three = boxes([[0, 0, 9, 9]] * 3, [0, 1, 2], LABELS)
    return [row(0, "a", three), broken(1, "b"), row(2, "c", boxes([], [])), row(3, "d", three)]


def test_everything_stays_as_it_is() -> None:
    table = view(rows())
    same = narrowed(table, ClassList(KNOWN), EVERYTHING)
    assert same.equals(table)


def test_classes_and_names() -> None:
    classes = ClassList(KNOWN, kept=["gull", "buoy"], renamed={"gull": "bird, =x"})
    table = narrowed(view(rows()), classes, EVERYTHING)
    some = [("buoy", 0), ("bird, =x", 1)]
    assert found(table) == [some, None, [], some]
    assert table.schema.equals(VIEW_SCHEMA)


def test_a_classs_own_threshold_goes_before_that_of_all() -> None:
    table = narrowed(view(rows()), ClassList(KNOWN), Thresholds(0.85, {"gull": 0.7, "boat": 0.95}))
    assert found(table) == [[("gull", 2)], None, [], [("gull", 2)]]


def test_a_threshold_is_compared_as_scores_are_kept() -> None:
    one = boxes([[0, 0, 9, 9]], [0], LABELS, scores=np.array([0.7], np.float32))
    table = narrowed(view([row(0, "a", one)]), ClassList(KNOWN), Thresholds(0.7))
    assert found(table) == [[("boat", 0)]]


def test_shares_have_no_threshold_and_nothing_may_be_left() -> None:
    shares = (ClassScore("boat", 0, 0.1), ClassScore("gull", 2, 0.9))
    table = view([row(0, "a", task="segment", classes=shares)])
    kept = narrowed(table, ClassList(KNOWN, kept=["boat"]), Thresholds(0.5))
    assert kept["classes"].to_pylist()[0] == [
        {"label": "boat", "class_id": 0, "score": np.float32(0.1)}
    ]
    nothing = narrowed(view(rows()), ClassList(None, kept=["none"]), EVERYTHING)
    assert found(nothing) == [[], None, [], []]
    assert not len(narrowed(table.slice(0, 0), ClassList(KNOWN), EVERYTHING))
    assert kept["state"].to_pylist() == [ItemState.SUCCEEDED.value]
    assert Path(kept["uri"][0].as_py()) == Path("/in")
