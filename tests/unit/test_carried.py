"""Items taken over from earlier jobs: their manifests, and the rows that they stand for."""

from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import FatalError
from core.items import ItemRef
from core.layout import carried_part, is_ours
from core.states import ItemState
from store.carried import SCHEMA, decode_carried, encode_carried, origins, origins_of, rows_from
from store.locations import open_store
from store.parts import encode_rows
from store.results import ResultRow


def row(index: int, key: str, model: str = "m") -> ResultRow:
    """A row that names a picture after its item."""
    item = ItemRef(index, key, size=9, etag=f"e{index}")
    annotated = f"annotated/{model}/{key}.jpg"
    return ResultRow(item, "detect", model, ItemState.SUCCEEDED, width=4, annotated=annotated)


def manifest(*rows: tuple[str, str, str, int, str]) -> bytes:
    """A manifest whose rows are keys, outputs of origins, their parts, indexes and keys there."""
    return encode_carried(
        pa.Table.from_pylist(
            [
                {
                    "key": key,
                    "kind": "image",
                    "job": Path(output).name,
                    "output": output,
                    "part": part,
                    "index": index,
                    "item": item,
                    "state": "succeeded",
                    "why": "unchanged" if key == item else "moved",
                }
                for key, output, part, index, item in rows
            ],
            SCHEMA,
        )
    )


@pytest.fixture
def outputs(tmp_path: Path) -> dict[str, str]:
    """Two origins; the second ran two models."""
    places = {name: str(tmp_path / name) for name in ("one", "two", "mine")}
    one, two = open_store(places["one"]), open_store(places["two"])
    one.put("results/part-000000.parquet", encode_rows([row(0, "a"), row(1, "b"), row(2, "c")]))
    one.put("results/part-000001.parquet", encode_rows([row(3, "d")]))
    pairs = [row(index, key, model) for index, key in ((7, "x"), (9, "y")) for model in "mn"]
    two.put("results/part-000000.parquet", encode_rows(pairs))
    return places


def test_rows_come_from_their_origins(outputs: dict[str, str]) -> None:
    """Each part is read once, though several manifests name it; a copy has rows of its own."""
    one, two, first = outputs["one"], outputs["two"], "results/part-000000.parquet"
    mine = open_store(outputs["mine"])
    mine.put(
        carried_part(0, 1),
        manifest(
            ("c", one, first, 2, "c"), ("new/y", two, first, 9, "y"), ("a", one, first, 0, "a")
        ),
    )
    mine.put(
        carried_part(1, 1),
        manifest(
            ("d", one, "results/part-000001.parquet", 3, "d"),
            ("x", two, first, 7, "x"),
            ("copy of c", one, first, 2, "c"),
        ),
    )
    found = list(origins([(outputs["mine"], carried_part(number, 1)) for number in (0, 1)]))
    assert [(each.job, each.key) for each in found] == [
        ("one", first),
        ("one", "results/part-000001.parquet"),
        ("two", first),
    ]
    rows = [
        (made["index"], made["item"], made["model"], made["annotated"], said["why"])
        for each in found
        for made, said in zip(*(table.to_pylist() for table in rows_from(each)), strict=True)
    ]
    assert rows == [
        (0, "a", "m", "annotated/m/a.jpg", "unchanged"),
        (2, "c", "m", "annotated/m/c.jpg", "unchanged"),
        (2, "copy of c", "m", "annotated/m/c.jpg", "moved"),
        (3, "d", "m", "annotated/m/d.jpg", "unchanged"),
        (7, "x", "m", "annotated/m/x.jpg", "unchanged"),
        (7, "x", "n", "annotated/n/x.jpg", "unchanged"),
        (9, "new/y", "m", "annotated/m/y.jpg", "moved"),
        (9, "new/y", "n", "annotated/n/y.jpg", "moved"),
    ]


def test_a_few_items_are_found_in_a_manifest(outputs: dict[str, str]) -> None:
    """By their present keys."""
    one, two, first = outputs["one"], outputs["two"], "results/part-000000.parquet"
    held = manifest(
        ("new/y", two, first, 9, "y"), ("c", one, first, 2, "c"), ("a", one, first, 0, "a")
    )
    found = list(origins_of(held, {"new/y", "a", "y"}))
    assert [(each.job, each.rows["key"].to_pylist()) for each in found] == [
        ("one", ["a"]),
        ("two", ["new/y"]),
    ]
    assert list(origins_of(held, {"y"})) == []


def test_a_row_that_is_gone_is_said(outputs: dict[str, str]) -> None:
    """Nothing vanishes silently from a view."""
    mine = open_store(outputs["mine"])
    mine.put(
        carried_part(0, 1),
        manifest(("z", outputs["one"], "results/part-000000.parquet", 8, "z")),
    )
    [origin] = origins([(outputs["mine"], carried_part(0, 1))])
    with pytest.raises(FatalError, match="no row of 'z'"):
        rows_from(origin)


def test_a_manifest_is_read_back() -> None:
    """Its name is one of those that a job's removal knows."""
    data = manifest(("a", "/o", "results/part-000000.parquet", 0, "a"))
    assert decode_carried(data)["key"].to_pylist() == ["a"]
    assert is_ours(carried_part(3, 1))
    with pytest.raises(FatalError, match=r"regatta\.carried=none"):
        decode_carried(encode_rows([]))
