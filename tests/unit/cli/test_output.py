import csv
import io
import json

import pytest

from cli.show.output import chosen, print_object, print_records

RECORDS = [
    {"name": "café", "size": 3, "extra": [1, 2]},
    {"name": "a\x1bb", "size": None, "extra": []},
]
Captured = pytest.CaptureFixture[str]


def test_json_is_one_array_of_everything(capsys: Captured) -> None:
    print_records(iter(RECORDS), ("name",), "json")
    assert json.loads(capsys.readouterr().out) == RECORDS


def test_json_of_nothing_is_an_empty_array(capsys: Captured) -> None:
    print_records([], ("name",), "json")
    assert json.loads(capsys.readouterr().out) == []


def test_ndjson_is_a_line_each(capsys: Captured) -> None:
    print_records(iter(RECORDS), ("name",), "ndjson")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == RECORDS


def test_csv_keeps_names_as_they_are(capsys: Captured) -> None:
    print_records(iter(RECORDS), ("name", "size", "extra"), "csv")
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [["name", "size", "extra"], ["café", "3", "1 2"], ["a\x1bb", "", ""]]


def test_tables_are_aligned_and_harmless(capsys: Captured) -> None:
    wide = [*RECORDS, {"name": "写真", "size": 12345.6}]
    print_records(iter(wide), ("name", "size"), "table")
    assert capsys.readouterr().out.splitlines() == [
        "NAME    SIZE",
        "café    3",
        r"a\x1bb  -",
        "写真    12,346",
    ]


def test_an_object_is_lines_or_json(capsys: Captured) -> None:
    print_object({"id": "x", "rate": 1.25}, "table")
    assert capsys.readouterr().out == "id    x\nrate  1.25\n"
    print_object({"id": "x", "rate": 1.25}, "json")
    assert json.loads(capsys.readouterr().out) == {"id": "x", "rate": 1.25}
    print_object({"id": "x", "rate": 1.25}, "csv")
    assert capsys.readouterr().out == "id,rate\nx,1.25\n"


def test_programs_get_ndjson_unless_told_otherwise() -> None:
    assert chosen(None) == "ndjson"
    assert chosen("table") == "table"


def test_no_cell_is_a_formula_unless_raw(capsys: Captured) -> None:
    texts = ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "-5", "+1e3", "a=b", ""]
    for raw in (False, True):
        print_records([{"a": text, "b": -1.5} for text in texts], ("a", "b"), "csv", raw=raw)
        rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1:]
        guarded = [f"'{text}" for text in texts[:6]]
        assert [row[0] for row in rows] == (texts if raw else guarded + texts[6:])
        assert {row[1] for row in rows} == {"-1.5"}
