"""Ended jobs with results as a test says, for what reads results."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.items import ItemRef
from core.states import ItemState
from predictions.answer import ClassScore, Segment
from predictions.detections import Detections
from store.parts import encode_rows
from store.results import ResultRow
from store.tables import Job
from tests.bench import Bench
from vision.draw.panoptic import encode_panoptic
from vision.draw.segments import encode_mask
from vision.rle import runs_of

WIDTH, HEIGHT = 64, 48

LABELS = ('<b>"car" & co</b>', "a,b;c", "two\nlines", "=cmd()|' /C calc'!A0", "車", "it's 100% {x}")
"""Labels that formats of text could stumble over."""

KEYS = (
    "a/x.jpg",
    "a/x.png",
    'b/<i> & "quoted".jpg',
    "c,d;e f.jpg",
    "new\nline.jpg",
    "=1+1.jpg",
    "図/車.jpg",
    "bad\udcff.jpg",
    "100%.jpg",
    "labels/images/x.jpg",
)
"""Names of items, likewise."""


def ended_job(
    bench: Bench, rows: Sequence[ResultRow], *, parts: int = 1, job_id: str = "abc", **values: Any
) -> Job:
    """Add a job that ended with these rows, in so many parts."""
    sizes = [len(one) for one in np.array_split(np.arange(len(rows)), parts)]
    bench.job(job_id, sizes, **values)
    start = 0
    for seq, size in enumerate(sizes):
        hold = bench.run(job_id)
        part = encode_rows(rows[start : start + size])
        bench.output(job_id).put(f"results/part-{seq:06d}.parquet", part)
        bench.commit(hold)
        bench.publish(hold)
        start += size
    return bench.read_job(job_id)


def row(
    index: int, key: str, found: Detections | None = None, task: str = "detect", **values: Any
) -> ResultRow:
    """A row of an item that succeeded."""
    item = ItemRef(index, key, size=9)
    sizes = {"width": WIDTH, "height": HEIGHT}
    return ResultRow(item, task, "m", ItemState.SUCCEEDED, **(sizes | values), detections=found)


def broken(index: int, key: str, task: str = "detect") -> ResultRow:
    """A row of a quarantined item."""
    item = ItemRef(index, key, size=9)
    return ResultRow.quarantined(item, task=task, model="m", reason="decode_failed: =no")


def boxes(
    xyxy: ArrayLike, class_ids: Sequence[int], labels: tuple[str, ...] = LABELS, **columns: Any
) -> Detections:
    """Detections whose scores fall from 0.9 in steps of 0.1, unless `columns` says otherwise."""
    corners = np.array(xyxy, np.float32).reshape(-1, 4)
    scores = np.array([0.9 - 0.1 * nr for nr in range(len(corners))], np.float32)
    return Detections(
        corners, columns.pop("scores", scores), np.array(class_ids, np.int32), labels, **columns
    )


def hostile() -> list[ResultRow]:
    """Rows with hostile names and labels, and a broken one; boxes in and beyond their pictures."""
    rows = []
    for index, key in enumerate(KEYS):
        count = index % 4
        corners = [[3.25 + nr, 4.5, 20.75 + 3 * nr, 30.125 + nr] for nr in range(count)]
        rows.append(row(index, key, boxes(corners, [(index + nr) % 6 for nr in range(count)])))
    beyond = [[-5, -5, 10, 10], [60, 40, 80, 60], [70, 0, 90, 10], [0, 0, 64, 48]]
    rows.append(row(len(KEYS), "beyond.jpg", boxes(beyond, [0, 1, 2, 3])))
    return [*rows, broken(len(KEYS) + 1, "broken.jpg")]


def masked() -> list[ResultRow]:
    """Rows with a mask for each box; one has a hole, one two parts."""
    ring = np.zeros((HEIGHT, WIDTH), bool)
    ring[5:25, 10:40] = True
    ring[10:20, 20:30] = False
    parts = np.zeros((HEIGHT, WIDTH), bool)
    parts[2:12, 2:12] = parts[30:44, 44:60] = True
    found = boxes([[10, 5, 40, 25], [2, 2, 60, 44]], [0, 1], masks=(runs_of(ring), runs_of(parts)))
    return [row(0, "masks.jpg", found), row(1, "none.jpg", boxes([], []))]


def posed() -> list[ResultRow]:
    """Rows with two people of 17 joints, one of which is partly unseen or beyond its picture."""
    joints = np.zeros((2, 17, 3), np.float32)
    joints[:, :, 0] = np.linspace(4, 40, 17)
    joints[:, :, 1] = np.linspace(6, 30, 17)
    joints[:, :, 2] = 0.9
    joints[1, :, 0] += 10
    joints[1, 3, 2] = 0.1
    joints[1, 4, 0] = 70
    found = boxes([[4, 6, 40, 30], [2, 3, 50, 40]], [0, 0], ("person",), keypoints=joints)
    return [row(0, "people.jpg", found, "keypoint")]


def read() -> list[ResultRow]:
    """Rows with lines of text."""
    lines = ('<hull> & "mast"', "=1+1\n車,;")
    quads = tuple(np.array([[4, 4], [30, 6], [29, 15], [3, 13]], np.float32) + at for at in (0, 20))
    found = boxes(
        [[3, 4, 30, 15], [23, 24, 50, 35]], [0, 0], ("text",), texts=lines, polygons=quads
    )
    return [row(0, "lines.jpg", found, "ocr")]


def classified() -> list[ResultRow]:
    """Rows with classes of the whole picture, a sure one and runners-up."""
    scores = [ClassScore(LABELS[nr], nr, score) for nr, score in ((2, 0.9), (0, 0.06), (4, 0.04))]
    return [row(0, "one.jpg", task="classify", classes=tuple(scores))]


def segmented(bench: Bench, job_id: str = "abc") -> list[ResultRow]:
    """Rows with a map of three classes, of which the first is the background, and its file."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[10:30, 5:25] = 1
    labels[20:40, 40:60] = 2
    names = ("_background_", *LABELS[1:3])
    shares = np.bincount(labels.ravel()) / labels.size
    bench.output(job_id).put("masks/map.png", encode_mask(labels))
    classes = tuple(ClassScore(names[nr], nr, float(share)) for nr, share in enumerate(shares))
    return [row(0, "map.jpg", task="segment", classes=classes, mask="masks/map.png")]


def panoptic(bench: Bench, job_id: str = "abc") -> list[ResultRow]:
    """Rows with two things and some ground, and the file of their numbers."""
    ids = np.full((HEIGHT, WIDTH), 3000, np.int32)
    ids[5:15, 5:25] = 1001
    ids[20:30, 30:50] = 1002
    segments = []
    for number, class_id, is_thing in ((1001, 0, True), (1002, 0, True), (3000, 2, False)):
        y, x = np.nonzero(ids == number)
        box = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
        segments.append(Segment(number, LABELS[class_id], class_id, is_thing, len(x), box))
    bench.output(job_id).put("masks/ids.png", encode_panoptic(ids))
    return [row(0, "ids.jpg", task="panoptic", segments=tuple(segments), mask="masks/ids.png")]
