"""The views that SQL is about: what is in them, and how they are made of flat tables."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from tables.columns import DETECTIONS, ITEMS, TABLES, Column

TEXTS = "texts"
QUARANTINED = "quarantined"

_JOB = Column("job", pa.string(), "the job that the query is about")
_MADE_BY = Column("made_by", pa.string(), "the job that made the row, perhaps an earlier one")
_CODE = Column("code", pa.string(), "the reason's code: truncated, too_large ...")

_QUARANTINED = ("job", "item", "index", "uri", "task", "model", "code", "reason", "size", "etag")


def _of_table(name: str) -> tuple[Column, ...]:
    return (_JOB, *(one for one in TABLES[name] if one.name != _JOB.name), _MADE_BY)


_ITEM_COLUMNS = {one.name: one for one in (*_of_table(ITEMS), _CODE)}

VIEWS: Mapping[str, Sequence[Column]] = {
    **{name: _of_table(name) for name in TABLES},
    TEXTS: _of_table(DETECTIONS),
    QUARANTINED: tuple(_ITEM_COLUMNS[name] for name in (*_QUARANTINED, _MADE_BY.name)),
}
"""The columns of each view."""

MEANINGS = {
    ITEMS: "an item; with several models, an item under one of them",
    DETECTIONS: "a box",
    "keypoints": "a point of a pose",
    "classes": "a class of a whole picture",
    "segments": "a segment of a panoptic map",
    TEXTS: "a detection that is a line of text",
    QUARANTINED: "an item that could not be processed",
}
"""What a row of each view is."""

EXAMPLES = (
    "select label, count(*) as boxes from detections group by label order by boxes desc",
    "select item, score, annotated from detections where label = 'person' and score > 0.9",
    "select code, count(*) from quarantined group by code",
)


def definitions(tables: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the statements that make the views, of tables by their views and then by their jobs.

    Each job's table names the job that made a row as `job`; in the view this is `made_by`.
    """
    made = [f'CREATE VIEW "{name}" AS {_union(tables[name])}' for name in TABLES]
    code = "split_part(reason, ':', 1) AS code"
    columns = ", ".join(
        code if one.name == _CODE.name else f'"{one.name}"' for one in VIEWS[QUARANTINED]
    )
    quarantined = f"SELECT {columns} FROM {ITEMS} WHERE state = 'quarantined'"  # noqa: S608
    return [
        *made,
        f'CREATE VIEW "{TEXTS}" AS FROM "{DETECTIONS}" WHERE text IS NOT NULL',
        f'CREATE VIEW "{QUARANTINED}" AS {quarantined}',
    ]


def _union(tables: Mapping[str, str]) -> str:
    return " UNION ALL ".join(
        f"SELECT '{job}' AS job, * EXCLUDE (job), job AS made_by FROM \"{table}\""  # noqa: S608
        for job, table in tables.items()
    )
