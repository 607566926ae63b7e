"""Makes flat tables of nested results, a column at a time."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from store.locations import absolute
from tables.columns import CLASSES, DETECTIONS, ITEMS, KEYPOINTS, SCHEMAS, SEGMENTS
from vision.skeletons import skeleton_of

_AT_ONCE = 1 << 18
"""The detections that are flattened at once: their names stay far below an array's 2 GiB."""

_Ints = NDArray[np.int32]

_CORNERS = ("x1", "y1", "x2", "y2")


def flatten(results: pa.Table) -> dict[str, pa.Table]:
    """Return the flat tables of results that have the columns of `store.view.VIEW_SCHEMA`.

    Each name of `tables.columns.SCHEMAS` gets a table of that schema, with the rows in the order
    of the results, perhaps none. Places become absolute.
    """
    slices = [_flatten(part) for part in _slices(results)]
    return {
        name: pa.concat_tables([schema.empty_table(), *(one[name] for one in slices)])
        for name, schema in SCHEMAS.items()
    }


def _slices(results: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows in slices of about `_AT_ONCE` detections, points or rows."""
    per_row = np.ones(len(results), np.int64)
    for name in ("detections", "classes", "segments"):
        per_row += pc.fill_null(pc.list_value_length(results[name]), 0).to_numpy()
    turns = np.cumsum(per_row) // _AT_ONCE
    ends = [0, *(np.flatnonzero(np.diff(turns)) + 1).tolist(), len(results)]
    for start, stop in pairwise(ends):
        yield results.slice(start, stop - start).combine_chunks()


def _flatten(results: pa.Table) -> dict[str, pa.Table]:
    columns = {name: _array(results[name]) for name in results.column_names}
    for name in ("annotated", "mask", "cutout"):
        columns[name] = _placed(columns["output"], columns[name])
    columns["size"] = pc.struct_field(columns["source"], "size")
    columns["etag"] = pc.struct_field(columns["source"], "etag")
    columns["found"] = pc.list_value_length(columns["detections"])
    rows = _Rows(columns)
    detections = rows.entries("detections")
    return {
        ITEMS: _table(ITEMS, columns),
        DETECTIONS: _table(DETECTIONS, _with_box(detections, pa.float32())),
        KEYPOINTS: _table(KEYPOINTS, _points(detections)),
        CLASSES: _table(CLASSES, rows.entries("classes")),
        SEGMENTS: _table(SEGMENTS, _with_box(rows.entries("segments"), pa.int32())),
    }


class _Rows:
    """The columns of some results, of which an entry in one of their lists takes what it needs."""

    def __init__(self, columns: Mapping[str, pa.Array]) -> None:
        lists = {"detections", "classes", "segments"}
        self._lists = {name: columns[name] for name in lists}
        self._plain = {name: column for name, column in columns.items() if name not in lists}

    def entries(self, name: str) -> dict[str, pa.Array]:
        """Return the columns of the entries in the lists of this name, those of their rows too."""
        lists = self._lists[name]
        rows = pc.list_parent_indices(lists)
        structs = pc.list_flatten(lists)
        wanted = [column for column in self._plain if column in SCHEMAS[name].names]
        columns = {column: self._plain[column].take(rows) for column in wanted}
        columns["nr"] = pa.array(_places(rows) + 1)
        for field in structs.type:
            columns[field.name] = pc.struct_field(structs, field.name)
        return columns


def _places(parents: pa.Array) -> _Ints:
    """Return the place of each entry in its list, given the ascending row of each."""
    rows = parents.to_numpy()
    places: _Ints = (np.arange(len(rows)) - np.searchsorted(rows, rows)).astype(np.int32)
    return places


def _with_box(columns: dict[str, pa.Array], kind: pa.DataType) -> dict[str, pa.Array]:
    """Return the columns with the corners of `box`, and with its area if they have none."""
    corners = {
        name: pc.list_element(columns["box"], place).cast(kind)
        for place, name in enumerate(_CORNERS)
    }
    if "area" not in columns:
        x1, y1, x2, y2 = (pc.cast(corner, pa.float64()) for corner in corners.values())
        columns["area"] = pc.multiply(pc.subtract(x2, x1), pc.subtract(y2, y1))
    return columns | corners


def _points(detections: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    lists = detections["keypoints"]
    owners = pc.list_parent_indices(lists)
    triples = pc.list_flatten(lists)
    names = [name for name in SCHEMAS[KEYPOINTS].names if name in detections and name != "score"]
    columns = {name: detections[name].take(owners) for name in names}
    for place, name in enumerate(("x", "y", "score")):
        columns[name] = pc.list_element(triples, place)
    points = _places(owners)
    columns["point"] = pa.array(points)
    columns["joint"] = _joints(pc.list_value_length(lists).take(owners).to_numpy(), points)
    return columns


def _joints(counts: _Ints, points: _Ints) -> pa.Array:
    """Return the names of points, given how many their skeletons have."""
    names = np.empty(len(counts), object)
    for count in np.unique(counts).tolist():
        is_of = counts == count
        names[is_of] = np.array(skeleton_of(count).joints, object)[points[is_of]]
    return pa.array(names, pa.string())


def _placed(outputs: pa.Array, keys: pa.Array) -> pa.Array:
    """Return where the objects of these keys lie; null for none."""
    texts = outputs.dictionary_encode()
    roots = [absolute(output).rstrip("/") for output in texts.dictionary.to_pylist()]
    return pc.binary_join_element_wise(
        pa.array(roots, pa.string()).take(texts.indices), keys, "/", null_handling="emit_null"
    )


def _table(name: str, columns: Mapping[str, pa.Array]) -> pa.Table:
    schema = SCHEMAS[name]
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def _array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    # An empty table may have no chunks, and then there is no array to combine.
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
