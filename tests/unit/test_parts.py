import json
import os
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.errors import FatalError
from core.items import ItemRef
from core.states import ItemState
from predictions.answer import ClassScore, Segment
from predictions.detections import Detections
from predictions.run_lengths import RunLengths
from store.parts import ResultRow, decode_rows, encode_rows, iter_rows, merge_rows

LABELS = ("person", "cat", "d\u00f8g")
OTHER_LABELS = ("boat",)

float32 = st.floats(-1e6, 1e6, width=32)
text = st.text(st.sampled_from('aZ0 \n"\\\u00e9\ufffd\U0001f6a3'), min_size=1, max_size=8)


def boxes(
    xyxy: list[list[float]], scores: list[float], ids: list[int], labels: tuple[str, ...] = LABELS
) -> Detections:
    return Detections(
        np.array(xyxy, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(ids, np.int64),
        labels,
    )


def row(index: int, key: str | None = None, **fields: Any) -> ResultRow:
    item = ItemRef(index, key or f"{index}.jpg", etag="e", size=9)
    fields = {"task": "detect", "model": "m", "state": ItemState.SUCCEEDED} | fields
    return ResultRow(item=item, **fields)


@st.composite
def box_columns(draw: st.DrawFn) -> Detections:
    labels = draw(st.sampled_from([LABELS, OTHER_LABELS]))
    found = draw(
        st.lists(
            st.tuples(
                st.lists(float32, min_size=4, max_size=4),
                float32,
                st.integers(0, len(labels) - 1),
            ),
            max_size=4,
        )
    )
    columns = boxes(
        [b for b, _, _ in found], [s for _, s, _ in found], [i for *_, i in found], labels
    )
    count, of_each = len(found), st.tuples(st.integers(0, 3), st.integers(1, 3))
    points = arrays(np.float32, of_each.map(lambda pair: (count, pair[1], 3)), elements=float32)
    polygon = arrays(np.float32, of_each.map(lambda pair: (pair[0], 2)), elements=float32)
    mask = st.builds(RunLengths, st.tuples(st.integers(1, 9), st.integers(1, 9)), text)

    def of_all(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...] | None]:
        return st.none() | st.lists(one, min_size=count, max_size=count).map(tuple)

    return replace(
        columns,
        keypoints=draw(st.none() | points),
        masks=draw(of_all(mask)),
        polygons=draw(of_all(polygon)),
        texts=draw(of_all(text)),
        track_ids=draw(st.none() | arrays(np.int64, count, elements=st.integers(0, 2**40))),
    )


@st.composite
def result_rows(draw: st.DrawFn) -> ResultRow:
    key = draw(st.binary(min_size=1, max_size=6).map(os.fsdecode))
    return ResultRow(
        item=ItemRef(
            draw(st.integers(0, 2**40)),
            key,
            etag=draw(st.none() | text),
            size=draw(st.none() | st.integers(0, 2**40)),
        ),
        task=draw(st.sampled_from(["detect", "classify"])),
        model=draw(text),
        state=draw(st.sampled_from(ItemState)),
        width=draw(st.none() | st.integers(1, 2**31 - 1)),
        height=draw(st.none() | st.integers(1, 2**31 - 1)),
        frame=draw(st.none() | st.integers(0, 2**40)),
        pts=draw(st.none() | st.floats(0, 1e6)),
        detections=draw(st.none() | box_columns()),
        classes=draw(
            st.none()
            | st.lists(st.builds(ClassScore, text, st.integers(0, 9), float32), max_size=3).map(
                tuple
            )
        ),
        segments=draw(
            st.none()
            | st.lists(
                st.builds(
                    Segment,
                    st.integers(0, 2**24),
                    text,
                    st.integers(0, 99),
                    st.booleans(),
                    st.integers(0, 2**40),
                    st.tuples(*[st.integers(0, 9999)] * 4),
                ),
                max_size=3,
            ).map(tuple)
        ),
        mask=draw(st.none() | text),
        cutout=draw(st.none() | text),
        annotated=draw(st.none() | text),
        reason=draw(st.none() | text),
        warning=draw(st.none() | text),
    )


def shortest(number: float) -> float:
    return float(str(np.float32(number)))


def printed_boxes(found: Detections) -> list[dict[str, Any]]:
    entries = []
    for n in range(len(found.scores)):
        entry: dict[str, Any] = {
            "label": found.labels[int(found.class_ids[n])],
            "class_id": int(found.class_ids[n]),
            "score": shortest(found.scores[n]),
            "box": [shortest(number) for number in found.xyxy[n]],
        }
        if found.keypoints is not None:
            entry["keypoints"] = [[shortest(of) for of in point] for point in found.keypoints[n]]
        if found.masks is not None:
            entry["mask"] = {"size": list(found.masks[n].size), "counts": found.masks[n].counts}
        if found.polygons is not None:
            entry["polygon"] = [[shortest(of) for of in point] for point in found.polygons[n]]
        if found.texts is not None:
            entry["text"] = found.texts[n]
        if found.track_ids is not None:
            entry["track_id"] = int(found.track_ids[n])
        entries.append(entry)
    return entries


def printed(row: ResultRow, item: str) -> dict[str, Any]:
    """The printed row, built the slow and obvious way."""
    found, classes = row.detections, row.classes
    return {
        "item": item,
        "task": row.task,
        "model": row.model,
        "state": str(row.state),
        "width": row.width,
        "height": row.height,
        "frame": row.frame,
        "pts": row.pts,
        "detections": None if found is None else printed_boxes(found),
        "classes": None
        if classes is None
        else [
            {"label": c.label, "class_id": c.class_id, "score": shortest(c.score)} for c in classes
        ],
        "segments": None
        if row.segments is None
        else [asdict(one) | {"box": list(one.box)} for one in row.segments],
        "mask": row.mask,
        "cutout": row.cutout,
        "annotated": row.annotated,
        "source": {"etag": row.item.etag, "size": row.item.size},
        "reason": row.reason,
        **({} if row.warning is None else {"warning": row.warning}),
    }


def item_text(key: str) -> str:
    doubled = os.fsencode(key).replace(b"\xef\xbf\xbd", b"\xef\xbf\xbd" * 2)
    return "".join(
        f"\ufffd{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c
        for c in doubled.decode("utf-8", "surrogateescape")
    )


@settings(deadline=None)
@given(st.lists(result_rows(), max_size=4))
def test_rows_are_printed_as_they_were(rows: list[ResultRow]) -> None:
    found = list(iter_rows(encode_rows(rows)))
    assert found == [printed(row, item_text(row.item.key)) for row in rows]
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()


def plain(row: ResultRow) -> dict[str, Any]:
    """What a row says, in values that can be compared."""
    values = {name: getattr(row, name) for name in ResultRow.__slots__}
    found = row.detections
    if found is not None:
        columns = {name: getattr(found, name) for name in Detections.__slots__ if len(found)}
        columns["labels"] = found.names
        for name, column in columns.items():
            if isinstance(column, np.ndarray):
                columns[name] = (column.dtype, column.shape, column.tolist())
        if columns.get("polygons") is not None:
            columns["polygons"] = [(one.shape, one.tolist()) for one in columns["polygons"]]
        values["detections"] = columns
    return values


@settings(deadline=None)
@given(st.lists(result_rows(), max_size=4))
def test_what_is_written_is_read(rows: list[ResultRow]) -> None:
    part = encode_rows(rows)
    read = list(decode_rows(part))
    assert list(map(plain, read)) == list(map(plain, rows))
    assert encode_rows(read) == part


def test_rows_of_no_detections_and_of_no_result_are_read() -> None:
    rows = [
        row(0, detections=Detections.empty()),
        row(1, state=ItemState.QUARANTINED, reason="empty: the file holds no bytes"),
        row(2, classes=(), segments=()),
    ]
    nothing, failed, no_classes = decode_rows(encode_rows(rows))
    assert nothing.detections is not None
    assert len(nothing.detections) == 0
    assert nothing.detections.keypoints is None
    assert failed.detections is None
    assert (failed.state, failed.reason) == (rows[1].state, rows[1].reason)
    assert (no_classes.classes, no_classes.segments) == ((), ())


def test_what_cannot_be_encoded_is_read_as_it_is_stored() -> None:
    found = replace(boxes([[1, 2, 3, 4]], [0.5], [1]), texts=("a\udcff",))
    [read] = decode_rows(encode_rows([row(0, detections=found, reason="why \udc80")]))
    assert read.detections is not None
    assert read.detections.texts == ("a\\udcff",)
    assert read.reason == "why \\udc80"


def test_detections_without_names_are_no_result() -> None:
    unnamed = replace(boxes([[1, 2, 3, 4]], [0.5], [1]), labels=None)
    with pytest.raises(ValueError, match="without labels"):
        encode_rows([row(0, detections=unnamed)])


def test_rows_that_cannot_be_are_damage() -> None:
    table = pq.read_table(BytesIO(encode_rows([row(0)])))
    place = table.column_names.index("state")
    table = table.set_column(place, table.field(place), [["no such state"]])
    buffer = BytesIO()
    pq.write_table(table.replace_schema_metadata({"regatta.schema": "1"}), buffer)
    with pytest.raises(FatalError, match="damaged"):
        list(decode_rows(buffer.getvalue()))


def test_a_printed_row_in_full() -> None:
    detected = row(
        0,
        "street/0001.jpg",
        width=640,
        height=480,
        detections=boxes([[396.1, 90.2, 512.9, 284.4]], [0.829], [0]),
        annotated="annotated/street/0001.jpg.jpg",
    )
    assert json.dumps(next(iter_rows(encode_rows([detected])))) == (
        '{"item": "street/0001.jpg", "task": "detect", "model": "m", "state": "succeeded", '
        '"width": 640, "height": 480, "frame": null, "pts": null, '
        '"detections": [{"label": "person", "class_id": 0, "score": 0.829, '
        '"box": [396.1, 90.2, 512.9, 284.4]}], '
        '"classes": null, "segments": null, "mask": null, "cutout": null, '
        '"annotated": "annotated/street/0001.jpg.jpg", '
        '"source": {"etag": "e", "size": 9}, "reason": null}'
    )


def test_no_boxes_and_no_result_are_told_apart() -> None:
    rows = [row(0, detections=boxes([], [], [])), row(1, state=ItemState.QUARANTINED)]
    assert [printed["detections"] for printed in iter_rows(encode_rows(rows))] == [[], None]


def test_a_reason_may_name_an_undecodable_file() -> None:
    part = encode_rows([row(0, reason="decode_failed: 'a\udcff'")])
    assert next(iter_rows(part))["reason"] == "decode_failed: 'a\\udcff'"


def many_rows(count: int, boxes_each: int = 3) -> list[ResultRow]:
    random = np.random.default_rng(7)
    return [
        row(
            index,
            detections=Detections(
                random.random((boxes_each, 4), np.float32),
                random.random(boxes_each, np.float32),
                random.integers(0, 3, boxes_each),
                LABELS,
            ),
        )
        for index in range(count)
    ]


def test_a_part_of_an_earlier_version_is_read_and_merged() -> None:
    rows = [row(0, classes=(ClassScore("a", 1, 0.5),)), row(1, mask="masks/1.png")]
    table = pq.read_table(BytesIO(encode_rows(rows))).drop_columns(["segments", "cutout"])
    table = table.replace_schema_metadata({"regatta.schema": "1"})
    buffer = BytesIO()
    pq.write_table(table, buffer)
    early = buffer.getvalue()
    assert list(iter_rows(early)) == list(iter_rows(encode_rows(rows)))
    again = row(1, mask="masks/1.png", cutout="cutouts/1.png")
    assert merge_rows(early, [again]) == encode_rows([rows[0], again])


def test_a_part_without_warnings_has_no_column_for_them() -> None:
    odd = row(1, warning="3 stray bytes before the end marker")
    plain_part, odd_part = encode_rows([row(0), row(1)]), encode_rows([row(0), odd])
    assert "warning" not in pq.read_schema(BytesIO(plain_part)).names
    assert pq.read_table(BytesIO(odd_part))["warning"].to_pylist() == [None, odd.warning]
    assert merge_rows(plain_part, [odd]) == odd_part
    assert merge_rows(odd_part, [row(1)]) == plain_part
    assert [read.warning for read in decode_rows(plain_part)] == [None, None]


def test_equal_rows_give_equal_bytes() -> None:
    assert encode_rows(many_rows(1_100)) == encode_rows(many_rows(1_100))
    assert encode_rows(many_rows(2)) != encode_rows(many_rows(3))


@pytest.mark.parametrize("printed", [True, False])
def test_a_part_is_read_from_a_file_one_row_group_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: bool
) -> None:
    path = tmp_path / "part.parquet"
    path.write_bytes(encode_rows(many_rows(1_100)))
    groups: list[int] = []
    real = pq.ParquetFile.read_row_groups

    def read(file: Any, wanted: list[int], **options: Any) -> Any:
        groups.extend(wanted)
        return real(file, wanted, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", read)
    keys = (
        (row["item"] for row in iter_rows(path))
        if printed
        else (row.item.key for row in decode_rows(path))
    )
    assert [next(keys) for _ in range(512)][-1] == "511.jpg"
    assert groups == [0]
    assert list(keys) == [f"{index}.jpg" for index in range(512, 1_100)]
    assert groups == [0, 1, 2]


def test_any_parquet_reader_sees_the_whole_nested_schema() -> None:
    part = encode_rows([row(41, detections=boxes([[1, 2, 3, 4]], [0.5], [1]))])
    file = pq.ParquetFile(BytesIO(part))
    assert file.metadata.metadata[b"regatta.schema"] == b"1"
    (found,) = file.read().to_pylist()
    assert found["index"] == 41
    assert found["detections"] == [
        {
            "label": "cat",
            "class_id": 1,
            "score": 0.5,
            "box": [1, 2, 3, 4],
            "keypoints": None,
            "mask": None,
            "polygon": None,
            "text": None,
            "track_id": None,
        }
    ]


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(0, 20), box_columns(), max_size=8),
    st.dictionaries(st.integers(0, 20), box_columns(), max_size=8),
)
def test_a_merge_is_what_encoding_at_once_gives(
    old: dict[int, Detections], new: dict[int, Detections]
) -> None:
    def rows(found: dict[int, Detections]) -> list[ResultRow]:
        return [row(index, detections=found[index]) for index in sorted(found)]

    merged = merge_rows(encode_rows(rows(old)), list(reversed(rows(new))))
    assert merged == encode_rows(rows(old | new))


def test_a_merge_of_many_rows_has_the_bytes_of_one_encoding() -> None:
    rows = many_rows(1_100)
    old = [replace(each, state=ItemState.QUARANTINED, detections=None) for each in rows[500:520]]
    merged = merge_rows(encode_rows([*rows[:500], *old, *rows[520:]]), rows[500:520])
    assert merged == encode_rows(rows)


def test_a_merge_replaces_all_frames_of_an_item_and_keeps_their_order() -> None:
    old = [row(0), *(row(1, frame=frame) for frame in range(3)), row(2)]
    new = [row(1, frame=frame) for frame in (5, 9, 7, 6)]
    merged = iter_rows(merge_rows(encode_rows(old), new))
    assert [(row["item"], row["frame"]) for row in merged] == [
        ("0.jpg", None),
        *(("1.jpg", frame) for frame in (5, 9, 7, 6)),
        ("2.jpg", None),
    ]


def test_damaged_and_foreign_parts() -> None:
    part = encode_rows(many_rows(10))
    newer = part.replace(b"regatta.schema\x18\x011", b"regatta.schema\x18\x012")
    assert newer != part
    for data, message in ((b"", "Parquet"), (part[:-50], "Parquet"), (newer, "schema=2")):
        with pytest.raises(FatalError, match=message):
            list(iter_rows(data))
        with pytest.raises(FatalError, match=message):
            list(decode_rows(data))
        with pytest.raises(FatalError, match=message):
            merge_rows(data, [])


def test_a_missing_part_file(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match=r"gone\.parquet"):
        list(iter_rows(tmp_path / "gone.parquet"))


@pytest.mark.parametrize(
    ("xyxy", "scores", "ids"),
    [
        ([[1, 2, 3, 4]], [0.5, 0.5], [1]),
        ([[1, 2, 3, 4]], [0.5], [1, 1]),
        ([[1, 2, 3, 4]], [0.5], [3]),
        ([[1, 2, 3, 4]], [0.5], [-1]),
        ([[1, 2, 3, float("nan")]], [0.5], [1]),
        ([[1, 2, 3, 4]], [float("inf")], [1]),
    ],
)
def test_columns_that_make_no_sense(
    xyxy: list[list[float]], scores: list[float], ids: list[int]
) -> None:
    with pytest.raises(ValueError):
        boxes(xyxy, scores, ids)
