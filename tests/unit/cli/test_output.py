import csv
import io
import json
from typing import Any

import pytest
from rich.cells import cell_len

from cli.show.output import FIRST_ROWS, chosen, print_object, print_records, shortened

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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_a_terminal(
    width: int, records: list[dict[str, Any]], columns: tuple[str, ...]
) -> tuple[list[str], str]:
    """What a terminal of this width shows of a table, and what is said beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setattr("sys.stdout", terminal := Terminal())
        patch.setattr("sys.stderr", said := io.StringIO())
        print_records(records, columns, "table")
    return terminal.getvalue().splitlines(), said.getvalue()


WIDE = [
    {
        "item": f"lane-{number}/a rather long folder/写真の名前がとても長い-{number:05d}.jpg",
        "state": "succeeded",
        "found": "日本語のテキスト " * 6,
        "reason": None,
        "annotated": f"annotated/lane-{number}/a%20rather%20long%20folder/{number:05d}.jpg.jpg",
    }
    for number in range(3)
]


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_a_table_fits_its_terminal(width: int) -> None:
    lines, said = on_a_terminal(width, WIDE, tuple(WIDE[0]))
    assert len(lines) == 4
    assert max(map(cell_len, lines)) <= width
    assert "REASON" not in lines[0] or width == 200
    assert ("ANNOTATED" in lines[0]) == (width == 200)
    assert ("no room for" in said) == (width < 200)
    if width > 20:
        assert all(f"{number:05d}.jpg  " in lines[1 + number] for number in range(3))


def test_names_are_whole_and_scraps_of_paths_left_out() -> None:
    models = [
        {"name": "PicoDet_layout_1x_table", "arch": "detector+keypoint" * 2, "location": "/x" * 30}
    ]
    lines, said = on_a_terminal(72, models, tuple(models[0]))
    assert lines[1].startswith("PicoDet_layout_1x_table  detector")
    assert "LOCATION" not in lines[0]
    assert said == "no room for LOCATION: --format json shows it\n"


def test_later_rows_are_shortened_as_well() -> None:
    rows = [{"item": "a", "text": "b"}] * FIRST_ROWS + [{"item": "long" * 9, "text": "long" * 9}]
    lines, _ = on_a_terminal(40, rows, ("item", "text"))
    assert lines[-1] == "…ong  lon…"


def test_a_sentence_goes_on_below() -> None:
    rows = [
        {"job": "4k2", "outcome": "24 unchanged, 0 new, 0 changed, 6 still quarantined, 7 gone"},
        {"job": "4k3", "outcome": "word " * 99},
    ]
    lines, _ = on_a_terminal(40, rows, ("job", "outcome"))
    assert lines[1:3] == [
        "4k2  24 unchanged, 0 new, 0 changed, 6",
        "     still quarantined, 7 gone",
    ]
    assert len(lines) == 9
    assert lines[-1].endswith(" word …")
    assert max(map(cell_len, lines)) <= 40


def test_headings_that_somebody_else_chose_stay_as_they_are(capsys: Captured) -> None:
    print_records([{"my_x\x1b": 1}], ("my_x\x1b",), "table", named=True)
    assert capsys.readouterr().out == "my_x\\x1b\n1\n"


def test_nothing_is_cut_off_for_programs(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_records(WIDE, tuple(WIDE[0]), "table")
    out = capsys.readouterr().out
    assert WIDE[2]["annotated"] in out
    assert "…" not in out


@pytest.mark.parametrize("keep_end", [True, False])
def test_a_wide_character_is_never_halved(keep_end: bool) -> None:
    text = "aあbいcうdえ" * 3
    for width in range(1, 36):
        short = shortened(text, width, keep_end=keep_end)
        assert width - 2 < cell_len(short) <= width


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
    texts = ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "\na", "\uff1da", "-5", "+1e3", "a=b", ""]
    for raw in (False, True):
        print_records([{"a": text, "b": -1.5} for text in texts], ("a", "b"), "csv", raw=raw)
        rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1:]
        guarded = [f"'{text}" for text in texts[:8]]
        assert [row[0] for row in rows] == (texts if raw else guarded + texts[8:])
        assert {row[1] for row in rows} == {"-1.5"}
