"""How well a demo's results agree with the truth, for each task that it can show."""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sample.dataset import Dataset
from sample.labels import SEGMENTS
from sample.score import agreement, class_ious, confusion, name_agreement, pose_agreement
from store.objects import ObjectStore

Rows = Iterable[Mapping[str, Any]]

_LEAST_AGREEMENT = 0.7
_LEAST_OVERLAP = 0.55
_LEAST_SIMILARITY = 0.65
_LEAST_READ = 0.5
_ENOUGH_NAMES = 20  # of fewer, chance alone may have read too few


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to say about the agreement, and what is less than it should be."""

    lines: tuple[str, ...]
    doubts: tuple[str, ...]


def _of_boxes(dataset: Dataset, rows: Rows, output: ObjectStore) -> Verdict:
    del output
    found = agreement(json.loads(dataset.truth.read_text()), rows)
    shares = (("things were found", found.recall), ("detections are right", found.precision))
    return Verdict(
        (
            f"Truth: {found.hits:,} of {found.things:,} things were found ({found.recall:.0%})",
            f"  {found.precision:.0%} of {found.found:,} detections are right",
        ),
        tuple(
            f"only {share:.0%} of the {what}" for what, share in shares if share < _LEAST_AGREEMENT
        ),
    )


def _of_segments(dataset: Dataset, rows: Rows, output: ObjectStore) -> Verdict:
    counts = np.zeros((len(SEGMENTS), len(SEGMENTS)), np.int64)
    for row in rows:
        truth = dataset.segments / f"{row['item']}.png"
        if row["mask"] is None or not truth.is_file():
            continue
        there, found = (_labels(data) for data in (truth.read_bytes(), output.get(row["mask"])))
        counts += confusion(there, found, len(SEGMENTS))
    right = counts.diagonal().sum() / max(1, counts.sum())
    overlap = float(class_ious(counts).mean()) if counts.any() else 0.0
    return Verdict(
        (
            f"Truth: {right:.1%} of the pixels are right",
            f"  what was found and what is there share {overlap:.0%} (mean over the classes)",
        ),
        (f"only {overlap:.0%} of the classes' area is shared",) if overlap < _LEAST_OVERLAP else (),
    )


def _labels(png: bytes) -> NDArray[np.uint8]:
    """The numbers of a grey picture's pixels, or of one with a palette."""
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture, np.uint8)


def _of_classes(dataset: Dataset, rows: Rows, output: ObjectStore) -> Verdict:
    del output
    images = json.loads(dataset.truth.read_text())["images"]
    weathers = {image["file_name"]: image["weather"] for image in images}
    right = sum(
        row["classes"][0]["label"] == weathers[row["item"]]
        for row in rows
        if row["item"] in weathers and row["classes"]
    )
    share = right / max(1, len(weathers))
    return Verdict(
        (f"Truth: the weather of {right:,} of {len(weathers):,} pictures is right ({share:.0%})",),
        (f"only {share:.0%} of the weather is right",) if share < _LEAST_AGREEMENT else (),
    )


def _of_joints(dataset: Dataset, rows: Rows, output: ObjectStore) -> Verdict:
    del output
    found = pose_agreement(json.loads(dataset.truth.read_text()), rows)
    doubts = []
    if found.recall < _LEAST_AGREEMENT:
        doubts.append(f"only {found.recall:.0%} of the rowers were found")
    if found.similarity < _LEAST_SIMILARITY:
        doubts.append(f"the joints are only {found.similarity:.0%} similar to the true ones")
    return Verdict(
        (
            f"Truth: {found.hits:,} of {found.rowers:,} rowers were found ({found.recall:.0%})",
            f"  their joints are {found.similarity:.0%} similar to the true ones (COCO's OKS)",
        ),
        tuple(doubts),
    )


def _of_names(dataset: Dataset, rows: Rows, output: ObjectStore) -> Verdict:
    del output
    found = name_agreement(json.loads(dataset.truth.read_text()), rows)
    hits, read = (count / max(1, found.names) for count in (found.hits, found.read))
    doubts = []
    if found.names >= _ENOUGH_NAMES and hits < _LEAST_AGREEMENT:
        doubts.append(f"only {hits:.0%} of the readable names were found")
    if found.names >= _ENOUGH_NAMES and read < _LEAST_READ:
        doubts.append(f"only {read:.0%} of the readable names were read right")
    return Verdict(
        (
            f"Truth: {found.hits:,} of {found.names:,} readable names were found ({hits:.0%})",
            f"  {found.read:,} of them were read right ({read:.0%} of all)",
        ),
        tuple(doubts),
    )


VERDICTS: dict[str, Callable[[Dataset, Rows, ObjectStore], Verdict]] = {
    "detect": _of_boxes,
    "segment": _of_segments,
    "keypoint": _of_joints,
    "classify": _of_classes,
    "ocr": _of_names,
}
"""By task: judges a job's rows and, where they name files, those in its output."""
