"""Truth in YOLO's format: a text file a picture, a line a thing, in shares of the picture's size.

Source: https://docs.ultralytics.com/datasets/detect/: `class x y width height`, of the middle of a
box; or `class x1 y1 x2 y2 x3 y3 ...`, a polygon.
"""

import math
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from core.errors import BadInputError, UsageError
from evaluation.things import Things
from evaluation.truth import Truth
from evaluation.truths.text import MOST_BYTES, decoded, text_at
from store.locations import is_object, open_store
from store.objects import ObjectStore
from vision.exports.bounded_yaml import parse_yaml

_BOX_COLUMNS = 5
_LEAST_POLYGON_COLUMNS = 7
_LABELS = "labels/"
_NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")
_NO_LABELS = frozenset({"classes.txt", "train.txt", "val.txt", "test.txt"})


def read_yolo(location: str) -> Truth:
    """Return the truth of a directory of label files, or of one with such a directory `labels`.

    Names of classes are in `data.yaml`, `dataset.yaml`, `classes.txt` or `obj.names`, there or one
    above. An empty label file says that a picture shows nothing.

    Raises:
        UsageError: there are no label files or no names, or a line is not in this format; the
            message names file and line.
    """
    store = open_store(location)
    keys = [one.key for one in store.list() if _is_label_file(one.key)]
    in_labels = [key for key in keys if f"/{_LABELS}" in f"/{key}"]
    keys = in_labels or keys
    if not keys:
        raise UsageError(f"{location} has no label files", hint="YOLO has a .txt for each picture")
    labels = _class_names(location)
    images, classes, boxes = array("q"), array("q"), array("d")
    outlines: list[Any] = []
    for place, key in enumerate(keys):
        for label, box, outline in _lines(store, location, key, len(labels)):
            images.append(place)
            classes.append(label)
            boxes.extend(box)
            outlines.append(outline)
    xywh = np.array(boxes).reshape(-1, 4)
    things = Things.of(images, classes, xywh, outlines=outlines)
    flat = int((xywh[:, 2:] <= 0).any(axis=1).sum())
    return Truth(
        location,
        "YOLO labels",
        [_picture(key) for key in keys],
        labels,
        things,
        has_stems=True,
        has_shares=True,
        notes=(f"true boxes without width or height: {flat:,}; they count as missed",)
        if flat
        else (),
    )


def _is_label_file(key: str) -> bool:
    return key.endswith(".txt") and key.rpartition("/")[2] not in _NO_LABELS


def _picture(key: str) -> str:
    """Return the name of a label file's picture, without a suffix."""
    whole = f"/{key}"
    after = whole.rfind(f"/{_LABELS}")
    return (key if after < 0 else whole[after + len(_LABELS) + 1 :]).removesuffix(".txt")


def _class_names(location: str) -> tuple[str, ...]:
    here = location.rstrip("/") or "/"
    for folder in (here, here.rpartition("/")[0] or ("/" if here.startswith("/") else ".")):
        for name in _NAMES:
            if is_object(f"{folder}/{name}"):
                return _names_in(f"{folder}/{name}")
    raise UsageError(
        f"{location} does not name its classes",
        hint="add classes.txt (a name a line) or data.yaml (with `names`)",
    )


def _names_in(file: str) -> tuple[str, ...]:
    text = text_at(file)
    if not file.endswith(".yaml"):
        names: Sequence[Any] = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        try:
            data = parse_yaml(text)
        except Exception as error:
            raise UsageError(f"{file} cannot be read: {error}") from error
        said = data.get("names") if isinstance(data, dict) else None
        if isinstance(said, dict):
            if sorted(said) != list(range(len(said))):
                raise UsageError(f"{file}: `names` are not numbered from 0 without gaps")
            said = [said[number] for number in range(len(said))]
        names = said if isinstance(said, list) else []
    if not names or not all(isinstance(name, str | int) for name in names):
        raise UsageError(f"{file} has no names of classes", hint="`names`: a list, or by number")
    labels = tuple(str(name) for name in names)
    if len(set(labels)) < len(labels):
        raise UsageError(f"{file} has a name twice", hint="results know classes by name")
    return labels


def _lines(
    store: ObjectStore, location: str, key: str, classes: int
) -> Iterator[tuple[int, list[float], Any]]:
    """Yield the class, the box (left, top, width, height) and the polygon of each line, if any."""
    file = f"{location.rstrip('/')}/{key}"
    try:
        text = decoded(store.get(key, max_bytes=MOST_BYTES), file)
    except BadInputError as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        where = f"{file}, line {number}"
        label, values = _numbers(words, where, classes)
        if len(words) == _BOX_COLUMNS:
            x, y, wide, high = values
            yield label, [x - wide / 2, y - high / 2, wide, high], None
        elif len(words) >= _LEAST_POLYGON_COLUMNS and len(words) % 2:
            outline = np.array(values).reshape(-1, 2)
            low, high_ = outline.min(axis=0), outline.max(axis=0)
            yield label, [*low.tolist(), *(high_ - low).tolist()], outline
        else:
            _refuse_columns(where, len(words))


def _refuse_columns(where: str, columns: int) -> NoReturn:
    if columns == _BOX_COLUMNS + 1:
        raise UsageError(
            f"{where}: 6 columns: the last is a confidence, so these are predictions, not truth",
            hint="name the labels' directory; they have 5 columns: class, x, y, width, height",
        )
    raise UsageError(
        f"{where}: {columns} columns",
        hint="5 are a box (class, x, y, width, height), 7, 9, 11 ... a polygon",
    )


def _numbers(words: Sequence[str], where: str, classes: int) -> tuple[int, list[float]]:
    try:
        label, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError as error:
        raise UsageError(f"{where}: {error}", hint="a class's number, then shares") from error
    if not 0 <= label < classes:
        raise UsageError(
            f"{where}: class {label} has no name", hint=f"names are there for 0 to {classes - 1}"
        )
    for value in values:
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise UsageError(
                f"{where}: {value:g} is outside of 0 to 1",
                hint="values are shares of the picture's width and height, not pixels",
            )
    return label, values
