"""Measures of label maps, which say for each pixel what it shows.

Source: mean intersection over union as in Pascal VOC and Cityscapes: the pixels of all pictures
together, the mean over classes that occur in the truth or the results.
"""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadInputError, UsageError
from evaluation.case import Case, Protocol, item_of
from evaluation.evaluation import (
    Cell,
    Confusion,
    MapPair,
    Measure,
    Scores,
    Table,
    Worst,
    worst_first,
)
from store.locations import open_store

_CLASSES = 256
_CONFUSED_MOST = 60
_MAP_MODES = frozenset({"L", "P", "1"})


def measure(case: Case, protocol: Protocol, values: Mapping[int, int]) -> Scores:
    """Return mIoU, pixel accuracy and mean accuracy; memory holds a picture's two maps.

    `values` are the truth's numbers by those of the model, where they differ.

    Raises:
        UsageError: a map of the truth is no label map, or has another size than its picture.
    """
    swap = _swapped(values)
    whole = np.zeros((_CLASSES, _CLASSES + 1), np.int64)  # the last column: no result
    wrong = np.zeros(len(case.answers.items))
    right = np.zeros(len(case.answers.items))
    ignored = 0
    for row in case.rows.tolist():
        counts, left_out = _confusion_of(case, row, protocol.ignored, swap)
        whole += counts
        ignored += left_out
        hits = int(counts[:, :_CLASSES].trace())
        total = max(1, int(counts.sum()))
        right[row], wrong[row] = hits / total, 1 - hits / total if counts.sum() else 0
    ious, accuracies = _per_class(whole)
    there = np.flatnonzero(~np.isnan(ious))
    labels = {int(n): _name(case, int(n)) for n in there}
    rows: list[tuple[Cell, ...]] = [
        (
            *(labels[int(n)], int(whole[n].sum()), int(whole[:, n].sum()), float(ious[n])),
            None if np.isnan(accuracies[n]) else float(accuracies[n]),
        )
        for n in there
    ]
    rows.sort(key=lambda row: (-int(row[1] or 0), str(row[0])))
    total = int(whole.sum())
    hits = int(whole[:, :_CLASSES].trace())
    known = accuracies[~np.isnan(accuracies)]
    measures = (
        Measure("mIoU", float(ious[there].mean()) if len(there) else None, "mean over the classes"),
        Measure("pixel_accuracy", hits / total if total else None, "pixels that are right"),
        Measure(
            "mean_accuracy", float(known.mean()) if len(known) else None, "mean over true classes"
        ),
    )
    return Scores(
        measures,
        (Table("Classes", ("class", "truth", "found", "IoU", "accuracy"), tuple(rows)),),
        confusion=_shares(whole, labels),
        worst=_worst(case, wrong, right, protocol.ignored, values),
        protocol={
            "measures": "mIoU over the pixels of all pictures; classes that occur in truth or "
            "results",
            "ignored": f"pixels of value {protocol.ignored}: {ignored:,}",
        },
    )


def wrong_pixels(maps: MapPair) -> NDArray[np.bool_]:
    """Return which pixels [H,W] count as wrong.

    Raises:
        UsageError: a map cannot be read.
    """
    true, found = read_label_map(maps.true), read_label_map(maps.found)
    wrong: NDArray[np.bool_] = (_swapped(maps.values)[found] != true) & (true != maps.ignored)
    return wrong


def _swapped(values: Mapping[int, int]) -> NDArray[np.int64]:
    """Return the truth's number for each number of the model."""
    swap = np.arange(_CLASSES)
    for model, truth in values.items():
        swap[model] = truth
    return swap


def read_label_map(place: tuple[str, str]) -> NDArray[np.uint8]:
    """Return the numbers of a grey picture, or of one with a palette.

    Raises:
        UsageError: it cannot be read, or is in colour or of 16 bits.
    """
    location, key = place
    where = f"{location.rstrip('/')}/{key}"
    try:
        with Image.open(io.BytesIO(open_store(location).get(key))) as picture:
            if picture.mode not in _MAP_MODES:
                raise UsageError(
                    f"{where} is no label map: its mode is {picture.mode}",
                    hint="pixels have to be numbers of classes: 8 bits, grey or with a palette",
                )
            return np.asarray(picture, np.uint8)
    except (BadInputError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{where} cannot be read as a label map: {error}") from error


def _confusion_of(
    case: Case, row: int, ignored: int, swap: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """Return the counts (true class, said class) of a picture, and its ignored pixels."""
    true = read_label_map(case.masks[row])
    keep = true != ignored
    there = true[keep].astype(np.int64)
    found = _found_map(case, row)
    if found is None:
        counts = np.zeros((_CLASSES, _CLASSES + 1), np.int64)
        counts[:, _CLASSES] = np.bincount(there, minlength=_CLASSES)
    else:
        said = read_label_map(found)
        if said.shape != true.shape:
            raise UsageError(
                f"the label map of {item_of(case, row)} is {true.shape[1]}x{true.shape[0]} in the "
                f"truth, {said.shape[1]}x{said.shape[0]} in the results",
                hint="both have to be of the upright picture's size",
            )
        pairs = there * (_CLASSES + 1) + swap[said[keep]]
        counts = np.bincount(pairs, minlength=_CLASSES * (_CLASSES + 1)).reshape(_CLASSES, -1)
    return counts, int(true.size - keep.sum())


def _found_map(case: Case, row: int) -> tuple[str, str] | None:
    key = case.answers.rows["mask"][row].as_py()
    return None if key is None else (case.answers.rows["output"][row].as_py(), key)


def _per_class(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intersection over union and accuracy of each class; NaN where there is no pixel."""
    hits = counts[:, :_CLASSES].diagonal()
    true, found = counts.sum(axis=1), counts[:, :_CLASSES].sum(axis=0)
    union = true + found - hits
    ious = np.where(union > 0, hits / np.maximum(union, 1), np.nan)
    accuracies = np.where(true > 0, hits / np.maximum(true, 1), np.nan)
    return ious, accuracies


def _name(case: Case, number: int) -> str:
    named = number < len(case.labels) and case.labels[number]
    return named or f"class {number}"


def _shares(counts: NDArray[np.int64], labels: Mapping[int, str]) -> Confusion | None:
    """Return the pixels of each true class by what they were taken for."""
    if not labels or len(labels) > _CONFUSED_MOST:
        return None
    places = list(labels)
    table = counts[np.ix_(places, [*places, _CLASSES])]
    return Confusion(
        "Pixels of classes taken for others",
        tuple(labels.values()),
        (*labels.values(), "no result"),
        tuple(tuple(int(n) for n in row) for row in table),
    )


def _worst(
    case: Case,
    wrong: NDArray[np.float64],
    right: NDArray[np.float64],
    ignored: int,
    values: Mapping[int, int],
) -> tuple[Worst, ...]:
    def maps(row: int) -> MapPair | None:
        found = _found_map(case, row)
        return None if found is None else MapPair(case.masks[row], found, ignored, values)

    return tuple(
        Worst(item_of(case, row), row, f"{right[row]:.1%} of the pixels are right", maps=maps(row))
        for row in worst_first(wrong.tolist(), right.tolist())
    )
