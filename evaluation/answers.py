"""A job's results as columns, ready to be measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import FatalError, UsageError
from core.keys import text_to_key
from core.states import ItemState
from core.tasks import KEYPOINT, OCR
from evaluation.things import Things

ABOUT = (
    *("item", "uri", "output", "state", "width", "height", "classes", "mask", "annotated"),
    "reason",
)
"""The columns that stay, beside detections."""

_POINT = 3  # x, y, score


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one model said: `rows` as in a view, one a picture; `things` found in them.

    `items` are the keys of the pictures, `labels` the classes' names. `has_result` bool (N,) says
    which pictures have a result: others are in quarantine, or were skipped.
    """

    model: str
    task: str
    rows: pa.Table
    items: tuple[str, ...]
    has_result: NDArray[np.bool_]
    labels: tuple[str, ...]
    things: Things

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The pictures' widths and heights, int64 (N, 2); 0 where none was ever known."""
        sides = [pc.fill_null(self.rows[side], 0).to_numpy() for side in ("width", "height")]
        return np.column_stack(sides).astype(np.int64)


def read_answers(tables: Iterable[pa.Table], model: str | None, *, least: float = 0.0) -> Answers:
    """Return the results of a view (`store.view`) of one model; those that score `least` or more.

    Memory holds their numbers, and the text of what is read.

    Raises:
        UsageError: there are none, or several models have some and none is named.
    """
    models: dict[str, str] = {}
    kept: list[pa.Table] = []
    found = _Found(least)
    for table in tables:
        models |= dict(zip(table["model"].to_pylist(), table["task"].to_pylist(), strict=True))
        if model is not None:
            table = table.filter(pc.equal(table["model"], model))  # noqa: PLW2901
        if model is None and len(models) > 1:
            break
        found.add(table, sum(map(len, kept)), models.get(model or next(iter(models), "")))
        kept.append(table.select(ABOUT))
    chosen = model if model in models else next(iter(models), None)
    if chosen is None:
        raise UsageError("the job has no results yet", hint="`regatta status` shows how it goes")
    if (model is not None and model not in models) or (model is None and len(models) > 1):
        raise UsageError(
            f"its results are of the models {', '.join(sorted(models))}",
            hint="--model says which to measure",
        )
    rows = pa.concat_tables(kept).combine_chunks()
    items = tuple(text_to_key(item) for item in rows["item"].to_pylist())
    done = pc.equal(rows["state"], ItemState.SUCCEEDED.value).to_numpy()
    return Answers(
        chosen, models[chosen], rows, items, done, tuple(found.labels), found.things(models[chosen])
    )


class _Found:
    """The detections of tables, as columns."""

    def __init__(self, least: float) -> None:
        self._least = least
        self.labels: dict[str, int] = {}
        self._columns: dict[str, list[Any]] = {
            name: [] for name in ("image", "label", "box", "score", "mask", "keypoints", "text")
        }
        self._outlines: list[NDArray[np.float64]] = []
        self._has_masks = False

    def add(self, table: pa.Table, start: int, task: str | None) -> None:
        """Take in a table whose first row is picture `start`."""
        lists = table["detections"].combine_chunks()
        if isinstance(lists, pa.ChunkedArray):  # pyarrow keeps an empty one in chunks
            lists = pa.array([], table.schema.field("detections").type)
        flat = lists.flatten()
        image = start + pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
        if not len(flat):
            return
        scores = flat.field("score").to_numpy(zero_copy_only=False).astype(np.float64)
        keep = np.flatnonzero(scores >= self._least)
        flat = flat.take(pa.array(keep))
        columns = self._columns
        columns["image"].append(image[keep])
        columns["score"].append(scores[keep])
        names = pc.fill_null(flat.field("label"), "").dictionary_encode()
        codes = [self.labels.setdefault(n, len(self.labels)) for n in names.dictionary.to_pylist()]
        columns["label"].append(np.array(codes, np.int64)[names.indices.to_numpy()])
        corners = flat.field("box").flatten().to_numpy(zero_copy_only=False)
        if len(corners) != 4 * len(flat):
            raise FatalError("a detection has no box of four numbers: the part is damaged")
        columns["box"].append(corners.astype(np.float64).reshape(-1, 4))
        if task == KEYPOINT:
            columns["keypoints"].append(_points(flat.field("keypoints")))
        elif task == OCR:
            columns["text"].extend(text or "" for text in flat.field("text").to_pylist())
            corners_ = flat.field("polygon").to_pylist()
            self._outlines += [np.asarray(one or [], np.float64).reshape(-1, 2) for one in corners_]
        else:
            masks = flat.field("mask")
            self._has_masks |= masks.null_count < len(masks)
            if self._has_masks:
                columns["mask"].extend(map(_run_lengths, masks.to_pylist()))

    def things(self, task: str) -> Things:
        """Return everything that was taken in."""
        columns = self._columns
        if not columns["image"]:
            return Things.of([], [])
        xyxy = np.concatenate(columns["box"])
        xywh = np.column_stack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]])
        count = len(xywh)
        points = None
        if task == KEYPOINT:
            lengths = {one.shape[1] for one in columns["keypoints"]}
            if len(lengths) > 1:
                raise FatalError("poses have different numbers of keypoints: a part is damaged")
            points = np.concatenate(columns["keypoints"])
        # Tables before the first one with masks have none in any row.
        lacking = count - len(columns["mask"])
        return Things.of(
            np.concatenate(columns["image"]),
            np.concatenate(columns["label"]),
            xywh,
            scores=np.concatenate(columns["score"]),
            keypoints=points,
            segments=[None] * lacking + columns["mask"] if self._has_masks else None,
            texts=columns["text"] if task == OCR else None,
            outlines=self._outlines if task == OCR else None,
        )


def _points(poses: pa.Array) -> NDArray[np.float64]:
    """Return the keypoints of poses, float64 (N, K, 3)."""
    lengths = pc.unique(pc.fill_null(pc.list_value_length(poses), 0)).to_pylist()
    values = poses.flatten().flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    if len(lengths) != 1 or len(values) != len(poses) * lengths[0] * _POINT:
        raise FatalError("poses have different numbers of keypoints: a part is damaged")
    return np.asarray(values.reshape(len(poses), -1, _POINT), np.float64)


def _run_lengths(mask: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a row's mask as COCO's tools take it."""
    if mask is None:
        return None
    return {"size": list(mask["size"]), "counts": mask["counts"].encode("ascii")}
