"""Makes flat tables of nested results, a column at a time."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from store.locations import absolute
from store.view_reading import VIEW_SCHEMA
from tables.columns import CLASSES, DETECTIONS, KEYPOINTS, SCHEMAS, SEGMENTS
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
    return {name: flat(name, results) for name in SCHEMAS}


def flat(name: str, results: pa.Table, columns: Collection[str] | None = None) -> pa.Table:
    """Return a flat table of results, or some of its columns, in the order of its schema.

    The results need those columns only that `needed` names; what else they lack is null.
    """
    fields = [one for one in SCHEMAS[name] if columns is None or one.name in columns]
    schema = pa.schema(fields)
    tables = [schema.empty_table()]
    for part in _slices(results):
        found = _flat(name, part, {*schema.names})
        tables.append(pa.table([found[one.name].cast(one.type) for one in schema], schema=schema))
    return pa.concat_tables(tables)


def needed(name: str, columns: Iterable[str]) -> set[str]:
    """Return what `store.view.View.reads` has to read for these columns of a flat table."""
    found = {one for column in columns for one in _needs(name, column)}
    lists = _LISTS.get(name)
    is_counted = any(one.startswith(f"{lists}.") for one in found) and name != KEYPOINTS
    if lists is not None and not is_counted:
        found.add(_COUNTED[name])  # how many there are in each row
    return found


def _needs(name: str, column: str) -> Iterable[str]:
    lists = _LISTS.get(name)
    if column in _MADE_OF:
        return _MADE_OF[column]
    if lists is None or column in _OF_ROWS:
        return [column]
    if name == KEYPOINTS and column != "track_id":
        return ["detections.keypoints"]
    is_of_box = column in _CORNERS or (column == "area" and name == DETECTIONS)
    return [f"{lists}.{'box' if is_of_box else column}"]


_LISTS = {
    DETECTIONS: "detections",
    KEYPOINTS: "detections",
    CLASSES: "classes",
    SEGMENTS: "segments",
}
_COUNTED = {
    DETECTIONS: "detections.class_id",
    KEYPOINTS: "detections.keypoints",
    CLASSES: "classes.class_id",
    SEGMENTS: "segments.class_id",
}
_OF_ROWS = frozenset(field.name for field in VIEW_SCHEMA) - {"mask"}
_MADE_OF = {
    "nr": (),
    "annotated": ("annotated", "output"),
    "mask": ("mask", "output"),
    "cutout": ("cutout", "output"),
    "size": ("source.size",),
    "etag": ("source.etag",),
    "found": ("detections.class_id",),
}


def _slices(results: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows in slices of about `_AT_ONCE` rows and what is in their lists."""
    per_row = np.ones(len(results), np.int64)
    for name in {*_LISTS.values()} & {*results.column_names}:
        per_row += pc.fill_null(pc.list_value_length(results[name]), 0).to_numpy()
    turns = np.cumsum(per_row) // _AT_ONCE
    ends = [0, *(np.flatnonzero(np.diff(turns)) + 1).tolist(), len(results)]
    for start, stop in pairwise(ends):
        yield results.slice(start, stop - start).combine_chunks()


def _flat(name: str, results: pa.Table, wanted: AbstractSet[str]) -> dict[str, pa.Array]:
    columns = {column: _array(results[column]) for column in results.column_names}
    for column in wanted & {"annotated", "mask", "cutout"} & {*columns}:
        columns[column] = _placed(columns["output"], columns[column])
    if "source" in columns:
        columns |= _fields(columns["source"])
    if "detections" in columns:
        columns["found"] = pc.list_value_length(columns["detections"])
    if name in _LISTS:
        columns = _entries(columns, _LISTS[name], wanted)
    if name == KEYPOINTS:
        columns = _points(columns, wanted)
    if "box" in columns:
        columns |= _corners(columns["box"])
    count = len(next(iter(columns.values())))
    lacking = {column: pa.nulls(count) for column in wanted if column not in columns}
    return columns | lacking


def _entries(
    columns: Mapping[str, pa.Array], name: str, wanted: Collection[str]
) -> dict[str, pa.Array]:
    """Return the columns of what is in the lists of this name, with those of their rows."""
    if name not in columns:  # nor in the part
        return {column: array.slice(0, 0) for column, array in columns.items()}
    rows = pc.list_parent_indices(columns[name])
    of_rows = [one for one in columns if one in wanted and one in _OF_ROWS]
    entries = {one: columns[one].take(rows) for one in of_rows}
    return entries | {"nr": pa.array(_places(rows) + 1)} | _fields(pc.list_flatten(columns[name]))


def _fields(structs: pa.StructArray) -> dict[str, pa.Array]:
    return {field.name: pc.struct_field(structs, field.name) for field in structs.type}


def _places(parents: pa.Array) -> _Ints:
    """Return the place of each entry in its list, given the ascending row of each."""
    rows = parents.to_numpy()
    places: _Ints = (np.arange(len(rows)) - np.searchsorted(rows, rows)).astype(np.int32)
    return places


def _corners(boxes: pa.Array) -> dict[str, pa.Array]:
    """Return the corners of boxes and, of those with fractions, the areas."""
    corners = {name: pc.list_element(boxes, place) for place, name in enumerate(_CORNERS)}
    if not pa.types.is_float32(boxes.type.value_type):
        return corners
    x1, y1, x2, y2 = (pc.cast(corner, pa.float64()) for corner in corners.values())
    return corners | {"area": pc.multiply(pc.subtract(x2, x1), pc.subtract(y2, y1))}


def _points(detections: Mapping[str, pa.Array], wanted: Collection[str]) -> dict[str, pa.Array]:
    lists = detections.get("keypoints")
    if lists is None:
        return {name: array.slice(0, 0) for name, array in detections.items()}
    owners = pc.list_parent_indices(lists)
    triples = pc.list_flatten(lists)
    columns = {name: array.take(owners) for name, array in detections.items() if name in wanted}
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


def _array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    # An empty table may have no chunks, and then there is no array to combine.
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
