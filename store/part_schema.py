"""The columns of result parts."""

import pyarrow as pa

SCHEMA_KEY = "regatta.schema"
"""The metadata key under which a result part holds `VERSION`."""

VERSION = "1"
"""Adding columns and fields keeps the version; any other change needs a new one."""

ROW_GROUP_ROWS = 512

WARNING = "warning"


def _list(element: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", element))


BOX = _list(pa.float32())
POINTS = _list(BOX)
MASK = pa.struct([pa.field("size", _list(pa.int32())), pa.field("counts", pa.string())])

DETECTION = pa.struct(
    [
        pa.field("label", pa.string()),
        pa.field("class_id", pa.int32()),
        pa.field("score", pa.float32()),
        pa.field("box", BOX),
        pa.field("keypoints", POINTS),
        pa.field("mask", MASK),
        pa.field("polygon", POINTS),
        pa.field("text", pa.string()),
        pa.field("track_id", pa.int64()),
    ]
)

CLASS = pa.struct(
    [
        pa.field("label", pa.string()),
        pa.field("class_id", pa.int32()),
        pa.field("score", pa.float32()),
    ]
)

SEGMENT = pa.struct(
    [
        pa.field("id", pa.int64()),
        pa.field("label", pa.string()),
        pa.field("class_id", pa.int32()),
        pa.field("is_thing", pa.bool_()),
        pa.field("area", pa.int64()),
        pa.field("box", _list(pa.int32())),
    ]
)

SOURCE = pa.struct([pa.field("etag", pa.string()), pa.field("size", pa.int64())])

SCHEMA = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("frame", pa.int64()),
        pa.field("pts", pa.float64()),
        pa.field("detections", _list(DETECTION)),
        pa.field("classes", _list(CLASS)),
        pa.field("segments", _list(SEGMENT)),
        pa.field("mask", pa.string()),
        pa.field("cutout", pa.string()),
        pa.field("annotated", pa.string()),
        pa.field("source", SOURCE, nullable=False),
        pa.field("reason", pa.string()),
        pa.field(WARNING, pa.string()),
    ]
)
"""The columns of a result part: those of a printed row, and the item's place in the listing.

A part without any warning has no column for them.
"""
