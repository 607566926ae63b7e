"""The flat tables of a job's results, and their columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

ITEMS = "items"
DETECTIONS = "detections"
KEYPOINTS = "keypoints"
CLASSES = "classes"
SEGMENTS = "segments"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a flat table; `meaning` says what is in it."""

    name: str
    type: pa.DataType
    meaning: str


_TEXT, _LONG, _INT = pa.string(), pa.int64(), pa.int32()

_ORIGIN = (
    Column("job", _TEXT, "the job that made the row"),
    Column("item", _TEXT, "the item's name"),
    Column("index", _LONG, "the item's place in the listing, from 0"),
    Column("uri", _TEXT, "where the item lies: an absolute path, or a URL"),
    Column("annotated", _TEXT, "where its picture lies, likewise"),
    Column("task", _TEXT, "what the model does: detect, classify ..."),
    Column("model", _TEXT, "the model's name"),
)
_PICTURE = (
    Column("width", _INT, "of the upright picture, in pixels"),
    Column("height", _INT, "likewise"),
    Column("frame", _LONG, "the picture's number in a video, from 0; null for a still picture"),
    Column("pts", pa.float64(), "its time in the video, in seconds"),
)
_CLASS = (
    Column("label", _TEXT, "the name of the class"),
    Column("class_id", _INT, "its number"),
)
_NR = Column("nr", _INT, "which one of its row, from 1; the best first, text in reading order")
_BOX = tuple(
    Column(name, pa.float32(), f"the box's {side} edge, in pixels of the upright picture")
    for name, side in (("x1", "left"), ("y1", "upper"), ("x2", "right"), ("y2", "lower"))
)

TABLES: Mapping[str, Sequence[Column]] = {
    ITEMS: (
        *_ORIGIN,
        *_PICTURE,
        Column("state", _TEXT, "succeeded, skipped or quarantined"),
        Column("found", _INT, "how many detections; null if the model makes none"),
        Column("reason", _TEXT, "why there is no result: a code, and after a colon the details"),
        Column("warning", _TEXT, "what is odd about the file though there is a result"),
        Column("mask", _TEXT, "where the map of its classes or segments lies"),
        Column("cutout", _TEXT, "where what was cut out of it lies"),
        Column("size", _LONG, "of the file, in bytes, as it was listed"),
        Column("etag", _TEXT, "which content it had, as it was listed"),
    ),
    DETECTIONS: (
        *_ORIGIN,
        _NR,
        *_CLASS,
        Column("score", pa.float32(), "how sure the model is, 0 to 1"),
        *_BOX,
        Column("area", pa.float64(), "of the box, in pixels"),
        *_PICTURE,
        Column("track_id", _LONG, "the same for one object in all pictures of a video"),
        Column("text", _TEXT, "what a line of text says"),
    ),
    KEYPOINTS: (
        *_ORIGIN,
        Column("nr", _INT, "the detection that the point belongs to, from 1"),
        Column("point", _INT, "the point's number, from 0"),
        Column("joint", _TEXT, "its name: nose, left_eye ..."),
        Column("x", pa.float32(), "in pixels of the upright picture"),
        Column("y", pa.float32(), "likewise"),
        Column("score", pa.float32(), "how sure the model is of the point, 0 to 1"),
        *_PICTURE,
        Column("track_id", _LONG, "that of the detection"),
    ),
    CLASSES: (
        *_ORIGIN,
        _NR,
        *_CLASS,
        Column("score", pa.float32(), "how sure the model is, or the class's share of the picture"),
        *_PICTURE,
    ),
    SEGMENTS: (
        *_ORIGIN,
        _NR,
        *_CLASS,
        Column("id", _LONG, "the segment's number in the map"),
        Column("is_thing", pa.bool_(), "whether it is one object, and not a kind of ground"),
        *(Column(one.name, _INT, one.meaning) for one in _BOX),
        Column("area", _LONG, "its pixels"),
        *_PICTURE,
    ),
}
"""The columns of each flat table: a row a result, a box, a point, a class or a segment."""

SCHEMAS: Mapping[str, pa.Schema] = {
    name: pa.schema([pa.field(one.name, one.type) for one in columns])
    for name, columns in TABLES.items()
}
"""The same as Arrow schemas, for those who write the tables."""
