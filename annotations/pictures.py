"""Results as pictures with objects in them: columns that every annotation format writes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotations.names import Names
from annotations.narrowing import array_of
from core.keys import text_to_key
from core.states import ItemState
from predictions.run_lengths import RunLengths

SEEN = 0.2
"""The least score of a joint that counts as seen, as in pictures."""

LIKELY = 0.5
"""The score from which a picture has a class; the best one it has in any case."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an export, the `number`th from 0; `item` and `uri` are texts.

    `width` and `height` are those of the upright picture. `mask` is the key under the job's
    `output`.
    """

    number: int
    name: str
    item: str
    uri: str
    width: int
    height: int
    frame: int | None
    output: str
    mask: str | None
    classes: Sequence[dict[str, Any]] | None
    segments: Sequence[dict[str, Any]] | None


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The objects in some pictures, one entry each, in the order of the pictures.

    `picture` (N,) is the place of each one's picture among those, `number` (N,) its class, `label`
    that class's name. `scores` (N,) are NaN where the model gives none. `xyxy` float64 (N, 4) lies
    within the picture, `is_clipped` (N,) where it did not before. Joints (N, K, 3) are x, y and a
    score. The other columns are None if no object has them; entries may be None.
    """

    picture: NDArray[np.int64]
    number: NDArray[np.int32]
    label: list[str]
    scores: NDArray[np.float32]
    xyxy: NDArray[np.float64]
    is_clipped: NDArray[np.bool_]
    keypoints: NDArray[np.float32] | None = None
    masks: list[RunLengths | None] | None = None
    polygons: list[list[NDArray[np.float64]] | None] | None = None
    texts: list[str | None] | None = None
    tracks: list[int | None] | None = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.number)

    def select(self, chosen: NDArray[np.bool_]) -> "Objects":
        """Return those for which a mask (N,) is true."""
        places = np.flatnonzero(chosen).tolist()

        def of(column: Any) -> Any:
            if column is None or isinstance(column, np.ndarray):
                return None if column is None else column[chosen]
            return [column[place] for place in places]

        return Objects(**{one.name: of(getattr(self, one.name)) for one in fields(self)})

    def ends(self, pictures: int) -> list[int]:
        """Return where the objects of each of so many pictures begin, and the end of the last."""
        found: list[int] = np.searchsorted(self.picture, np.arange(pictures + 1)).tolist()
        return found

    def score_texts(self) -> list[str]:
        """Return the scores with the fewest digits that identify them; "" where there is none."""
        texts = np.where(np.isnan(self.scores), "", self.scores.astype(str))
        found: list[str] = texts.tolist()
        return found


@dataclass(frozen=True, slots=True)
class Page:
    """Some pictures in listing order, and the objects in them."""

    pictures: Sequence[Picture]
    objects: Objects


@dataclass(slots=True)
class Counts:
    """What an export came to."""

    pictures: int = 0
    objects: int = 0
    clipped: int = 0
    empty: int = 0
    unfinished: int = 0  # rows without a result
    unread: int = 0  # pictures that are not there any more


class Pages:
    """Makes pages of results, and counts.

    With `likely`, pictures keep of their classes the best one and those that score so much: most
    classifiers name runners-up as well.
    """

    def __init__(self, names: Names, counts: Counts, *, likely: float | None = None) -> None:
        self._names = names
        self._counts = counts
        self._likely = likely

    def of(self, results: pa.Table) -> Page:
        """Return the pictures that have a result, with their objects clipped to them.

        Objects of which nothing is left in their picture are dropped.

        Args:
            results: Narrowed rows of one model; see `annotations.narrowing`.
        """
        succeeded = pc.equal(results["state"], ItemState.SUCCEEDED.value)
        known = pc.and_(pc.is_valid(results["width"]), pc.is_valid(results["height"]))
        done = results.filter(pc.and_(succeeded, known))
        self._counts.unfinished += len(results) - len(done)
        pictures = self._pictures(done)
        objects = self._clipped(_objects(array_of(done["detections"])), pictures)
        return Page(pictures, objects)

    def _pictures(self, done: pa.Table) -> list[Picture]:
        first = self._counts.pictures
        self._counts.pictures += len(done)
        names = ("item", "uri", "width", "height", "frame", "output", "mask", "classes", "segments")
        columns = {name: done[name].to_pylist() for name in names}
        columns["classes"] = [found and self._likely_of(found) for found in columns["classes"]]
        return [
            Picture(
                first + place,
                self._names.name_of(text_to_key(values[0]), values[4]),
                *values,
            )
            for place, values in enumerate(zip(*columns.values(), strict=True))
        ]

    def _likely_of(self, classes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the classes that a picture keeps; the best one comes first."""
        least = self._likely
        return [
            one
            for place, one in enumerate(classes)
            if place == 0 or least is None or one["score"] >= least
        ]

    def _clipped(self, objects: Objects, pictures: Sequence[Picture]) -> Objects:
        sizes = np.array([(one.width, one.height) * 2 for one in pictures], np.float64)
        limits = sizes.reshape(-1, 4)[objects.picture]
        inside = np.clip(objects.xyxy, 0, limits)
        is_clipped = (inside != objects.xyxy).any(axis=1)
        is_there = np.all(inside[:, 2:] > inside[:, :2], axis=1)
        self._counts.empty += int((~is_there).sum())
        self._counts.clipped += int((is_clipped & is_there).sum())
        clipped = replace(objects, xyxy=inside, is_clipped=is_clipped)
        return clipped if is_there.all() else clipped.select(is_there)


def _objects(lists: pa.ListArray) -> Objects:
    picture = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    structs = pc.list_flatten(lists)
    found = {one.name: pc.struct_field(structs, one.name) for one in structs.type}
    count = len(structs)
    boxes = pc.list_flatten(found["box"]).to_numpy(zero_copy_only=False).reshape(count, 4)
    there = {name: values for name, values in found.items() if values.null_count < count}
    return Objects(
        picture=picture,
        number=found["class_id"].to_numpy(zero_copy_only=False),
        label=found["label"].to_pylist(),
        scores=found["score"].to_numpy(zero_copy_only=False),
        xyxy=boxes.astype(np.float64),
        is_clipped=np.zeros(count, np.bool_),
        keypoints=_joints(there["keypoints"]) if "keypoints" in there else None,
        masks=[one and _mask(one) for one in there["mask"].to_pylist()]
        if "mask" in there
        else None,
        polygons=[one and [np.array(one, np.float64)] for one in there["polygon"].to_pylist()]
        if "polygon" in there
        else None,
        texts=there["text"].to_pylist() if "text" in there else None,
        tracks=there["track_id"].to_pylist() if "track_id" in there else None,
    )


def _joints(lists: pa.ListArray) -> NDArray[np.float32]:
    """Return the joints (N, K, 3) of N objects, all of which have as many."""
    triples = pc.list_flatten(pc.list_flatten(lists)).to_numpy(zero_copy_only=False)
    joints: NDArray[np.float32] = triples.reshape(len(lists), -1, 3)
    return joints


def _mask(one: dict[str, Any]) -> RunLengths:
    height, width = one["size"]
    return RunLengths((height, width), one["counts"])


def seen_joints(joints: NDArray[np.float32], width: int, height: int) -> NDArray[np.bool_]:
    """Return which joints (K, 3) of an object are seen: found, and within its picture."""
    x, y, score = joints.T
    seen: NDArray[np.bool_] = (score >= SEEN) & (x >= 0) & (y >= 0) & (x <= width) & (y <= height)
    return seen
