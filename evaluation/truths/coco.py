"""Truth in COCO's format, from a file of any size in memory that holds its numbers only.

Source: https://cocodataset.org/#format-data. Beyond it, the text of a line stands in `text`,
`utf8_string` (COCO-Text), or the `text` of `name`, whose `quad` is then its outline.
"""

import json
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from hotcoco import mask as masks
from numpy.typing import NDArray

from core.errors import UsageError
from evaluation.things import Things
from evaluation.truth import Truth, Wanted
from evaluation.truths.text import text_at

_BOX = 4
_POINT = 3
_LEAST_POLYGON = 6  # x and y of three corners
_FAR = 1e9  # pixels: no picture reaches as far, and sums of such numbers stay exact


def read_coco(location: str, wanted: Wanted) -> Truth:
    """Return the truth of a COCO file.

    Annotation ids are not used, so that they may be 0 or repeated. Boxes without an area stay: as
    with COCO's tools, nothing can match them.

    Raises:
        UsageError: it is not JSON, or not in this format; the message names the place.
    """
    reading = _Reading(location, wanted)
    try:
        data = json.loads(text_at(location), object_pairs_hook=reading.take)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{location} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}",
            hint="a file cut short, or not the annotations?",
        ) from error
    except RecursionError as error:
        raise UsageError(f"{location} is nested too deeply to be COCO's format") from error
    except ValueError as error:  # a number of thousands of digits
        raise UsageError(f"{location} cannot be read: {error}") from error
    return reading.truth(data)


_ANNOTATION: Any = object()
"""Stands in the parsed file for each annotation, whose numbers are in columns already."""


class _Reading:
    """A file that is being read: annotations become rows of columns as soon as they are parsed."""

    def __init__(self, location: str, wanted: Wanted) -> None:
        self._location = location
        self._wanted = wanted
        self._images: list[Any] = []
        self._categories: list[Any] = []
        self._ids: list[Any] = []
        self._boxes = array("d")
        self._areas = array("d")
        self._crowds = bytearray()
        self._points: list[array[float]] = []
        self._segments: list[Any] = []
        self._texts: list[str] = []
        self._outlines: list[NDArray[np.float64]] = []

    def take(self, pairs: list[tuple[str, Any]]) -> Any:
        """Take in one JSON object, innermost first."""
        record = dict(pairs)
        if len(record) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise UsageError(
                f"{self._location}: an object has the key {twice!r} twice",
                hint="leave one of them; readers differ on which one counts",
            )
        if "image_id" in record and "category_id" in record:
            self._take_annotation(record)
            return _ANNOTATION
        return record

    def _refuse(self, what: str, place: int, record: Mapping[str, Any], hint: str) -> NoReturn:
        said = f" (id {record['id']})" if "id" in record else ""
        raise UsageError(f"{self._location}: annotation {place + 1}{said} {what}", hint=hint)

    def _refuse_far(self, what: str, place: int, record: Mapping[str, Any]) -> NoReturn:
        what = f"{what} a number that is not finite, or beyond a billion pixels"
        self._refuse(what, place, record, "correct it, or remove it")

    def _take_annotation(self, record: dict[str, Any]) -> None:
        place = len(self._images)
        box = record.get("bbox")
        if box is None:
            box = self._box_of_mask(record, place)
        if not isinstance(box, list) or len(box) != _BOX:
            self._refuse(
                "has no `bbox` of four numbers", place, record, "write x, y, width, height"
            )
        try:
            self._boxes.extend(box)
            area = record.get("area")
            self._areas.append(-1.0 if area is None else area)
        except (TypeError, OverflowError):
            self._refuse("has a `bbox` or `area` that is not numbers", place, record, "correct it")
        self._images.append(record["image_id"])
        self._categories.append(record["category_id"])
        self._ids.append(record.get("id"))
        self._crowds.append(bool(record.get("iscrowd")))
        if self._wanted.segments:
            self._segments.append(record.get("segmentation") or None)
        if self._wanted.keypoints:
            self._take_points(record, place)
        if self._wanted.texts:
            self._take_text(record, place)

    def _box_of_mask(self, record: dict[str, Any], place: int) -> Any:
        """Return the box of an annotation that has none, around the corners of its polygons."""
        polygons = record.get("segmentation")
        if not isinstance(polygons, list) or not polygons:
            return None
        try:
            points = np.concatenate([np.asarray(one, np.float64) for one in polygons]).reshape(
                -1, 2
            )
        except (TypeError, ValueError, OverflowError):
            self._refuse("has a `segmentation` that is no polygons", place, record, "correct it")
        low, high = points.min(axis=0), points.max(axis=0)
        return [*low.tolist(), *(high - low).tolist()]

    def _take_points(self, record: dict[str, Any], place: int) -> None:
        points = record.get("keypoints") or []
        try:
            self._points.append(array("d", points))
        except (TypeError, OverflowError):
            self._refuse("has `keypoints` that are not numbers", place, record, "correct them")
        if not _is_near(self._points[-1]):
            self._refuse_far("has `keypoints` with", place, record)
        if len(points) % _POINT:
            self._refuse("has `keypoints` not in threes", place, record, "write x, y, visibility")

    def _take_text(self, record: dict[str, Any], place: int) -> None:
        name = record.get("name")
        name = name if isinstance(name, dict) else {}
        text = record.get("text", record.get("utf8_string", name.get("text")))
        self._texts.append(text if isinstance(text, str) else "")
        if not isinstance(text, str):
            self._crowds[-1] = True  # a thing without a text is no line; `truth` drops it
        outline = name.get("quad")
        polygons = record.get("segmentation")
        if outline is None and isinstance(polygons, list) and polygons:
            outline = polygons[0]
        if outline is None:
            x, y, wide, high = self._boxes[-_BOX:]
            outline = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
        try:
            self._outlines.append(np.asarray(outline, np.float64).reshape(-1, 2))
        except (TypeError, ValueError, OverflowError):
            self._refuse("has an outline that is no pairs of numbers", place, record, "correct it")
        if not _is_near(self._outlines[-1]):
            self._refuse_far("has an outline with", place, record)

    def truth(self, data: Any) -> Truth:
        """Return the truth, once the whole file was read."""
        if not isinstance(data, dict):
            self._refuse_shape("the file is not an object")
        for name in ("images", "annotations", "categories"):
            if not isinstance(data.get(name), list):
                self._refuse_shape(f"`{name}` is not a list")
        for place, one in enumerate(data["annotations"]):
            if one is not _ANNOTATION:
                record = one if isinstance(one, dict) else {}
                what = "lacks `image_id` or `category_id`"
                self._refuse(what, place, record, "COCO's annotations have both")
        if len(data["annotations"]) != len(self._images):
            self._refuse_shape("annotations stand outside of `annotations`")
        names, sizes, images = self._named_images(data["images"])
        labels, classes = self._named_classes(data["categories"])
        things = self._things(images, classes, sizes)
        notes = self._notes(things)
        if self._wanted.texts:
            if self._texts and not any(self._texts):
                raise UsageError(
                    f"{self._location}: no annotation has a `text`",
                    hint="lines of text are measured against what they say",
                )
            lines = np.array([text != "" for text in self._texts], np.bool_)
            things = things.take(lines)
        return Truth(
            self._location, "COCO JSON", names, labels, things, sizes=sizes, notes=tuple(notes)
        )

    def _refuse_shape(self, what: str) -> NoReturn:
        raise UsageError(
            f"{self._location} is not in COCO's format: {what}",
            hint="it needs the lists `images`, `annotations` and `categories`",
        )

    def _named_images(
        self, images: Sequence[Any]
    ) -> tuple[list[str], NDArray[np.int64], dict[Any, int]]:
        places: dict[Any, int] = {}
        names: list[str] = []
        sizes = np.zeros((len(images), 2), np.int64)
        seen: set[str] = set()
        for place, image in enumerate(images):
            if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
                self._refuse_shape(f"image {place + 1} has no `file_name`")
            self._once(image.get("id"), places, f"image {place + 1} ({image['file_name']})")
            if image["file_name"] in seen:
                raise UsageError(
                    f"{self._location} lists the picture {image['file_name']!r} twice",
                    hint="give its annotations one image id",
                )
            seen.add(image["file_name"])
            names.append(image["file_name"])
            sides = [image.get(side) for side in ("width", "height")]
            if all(isinstance(side, int) and 0 < side < 2**31 for side in sides):
                sizes[place] = np.array(sides, np.int64)
        return names, sizes, places

    def _named_classes(self, categories: Sequence[Any]) -> tuple[tuple[str, ...], dict[Any, int]]:
        places: dict[Any, int] = {}
        names: list[str] = []
        for place, one in enumerate(categories):
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                self._refuse_shape(f"category {place + 1} has no `name`")
            self._once(one.get("id"), places, f"category {place + 1} ({one['name']})")
            if one["name"] in names:
                raise UsageError(
                    f"{self._location} has two categories of the name {one['name']!r}",
                    hint="rename one: results know classes by name",
                )
            names.append(one["name"])
        return tuple(names), places

    def _once(self, number: Any, places: dict[Any, int], what: str) -> None:
        if not isinstance(number, int | str):
            self._refuse_shape(f"{what} has no `id`")
        if number in places:
            raise UsageError(
                f"{self._location}: {what} has the id {number!r}, and so has another",
                hint="number them differently",
            )
        places[number] = len(places)

    def _things(
        self, images: Mapping[Any, int], classes: Mapping[Any, int], sizes: NDArray[np.int64]
    ) -> Things:
        boxes = np.frombuffer(self._boxes, np.float64).reshape(-1, _BOX)
        areas = np.array(self._areas, np.float64)
        bad = ~((np.abs(boxes) <= _FAR).all(axis=1) & (np.abs(areas) <= _FAR**2))
        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            self._refuse_far("has", place, {"id": self._ids[place]})
        image = self._places(self._images, images, "image_id", "images")
        label = self._places(self._categories, classes, "category_id", "categories")
        unknown = areas < 0
        areas[unknown] = (boxes[:, 2] * boxes[:, 3])[unknown]
        crowd = np.frombuffer(self._crowds, np.bool_)
        segments = self._encoded(image, sizes) if self._wanted.segments else None
        return Things.of(
            *(image, label, boxes),
            area=areas,
            crowd=crowd,
            keypoints=self._joints() if self._wanted.keypoints else None,
            segments=segments,
            texts=self._texts if self._wanted.texts else None,
            outlines=self._outlines if self._wanted.texts else None,
        )

    def _refuse_row(self, bad: NDArray[np.bool_], what: str, hint: str) -> NoReturn:
        place = int(np.flatnonzero(bad)[0])
        self._refuse(what, place, {"id": self._ids[place]}, hint)

    def _places(
        self, numbers: Sequence[Any], places: Mapping[Any, int], field: str, where: str
    ) -> NDArray[np.int64]:
        try:
            found = np.fromiter((places.get(n, -1) for n in numbers), np.int64, len(numbers))
        except TypeError as error:  # a list as an id
            raise UsageError(f"{self._location}: an annotation's `{field}` is no number") from error
        if (lost := found < 0).any():
            number = numbers[int(np.flatnonzero(lost)[0])]
            self._refuse_row(
                lost, f"has {field} {number!r}, which `{where}` lacks", "add it, or remove the row"
            )
        return found

    def _encoded(self, image: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[Any]:
        """Return the masks as run lengths; None where an annotation has none."""
        encoded: list[Any] = []
        for place, mask in enumerate(self._segments):
            if mask is None:
                encoded.append(None)
                continue
            wide, high = (int(side) for side in sizes[image[place]])
            try:
                encoded.append(_run_lengths(mask, high, wide))
            except (TypeError, ValueError, KeyError, OverflowError) as error:
                what = f"has a `segmentation` that cannot be read: {error}"
                self._refuse(
                    what, place, {"id": self._ids[place]}, "polygons, or COCO's run lengths"
                )
        return encoded

    def _joints(self) -> NDArray[np.float64]:
        """Return all keypoints, those of annotations without any as not visible."""
        lengths = {len(points) for points in self._points if points}
        if len(lengths) > 1:
            raise UsageError(
                f"{self._location}: annotations differ in how many keypoints they have",
                hint="all have to have the same number",
            )
        length = lengths.pop() if lengths else _POINT
        joints = np.zeros((len(self._points), length))
        for place, points in enumerate(self._points):
            if points:
                joints[place] = points
        return joints.reshape(len(joints), -1, _POINT)

    def _notes(self, things: Things) -> list[str]:
        if self._wanted.texts:
            return []
        notes = []
        if flat := int(((things.xywh[:, 2:] <= 0).any(axis=1) & ~things.crowd).sum()):
            notes.append(
                f"true boxes without width or height: {flat:,}; nothing can match them, so they "
                "count as missed, as in COCO's tools"
            )
        if crowds := int(things.crowd.sum()):
            notes.append(
                f"crowd regions: {crowds:,}; what is found there counts neither as right nor as "
                "wrong"
            )
        return notes


def _is_near(numbers: Any) -> bool:
    """Return whether numbers are finite, and none is farther away than pixels are."""
    return bool((np.abs(np.asarray(numbers)) <= _FAR).all())


def _run_lengths(mask: Any, high: int, wide: int) -> Any:
    """Return a mask in any of COCO's forms as compressed run lengths."""
    if isinstance(mask, dict):
        size = [int(side) for side in mask["size"]]
        if (high, wide) != (0, 0) and size != [high, wide]:
            raise ValueError(f"its size is {size}, the picture's {[high, wide]}")
        counts = mask["counts"]
        if isinstance(counts, str):
            encoded = {"size": size, "counts": counts.encode("ascii")}
            masks.area(encoded)  # refuses what is no run lengths
            return encoded
        if sum(counts) != size[0] * size[1] or min(counts, default=0) < 0:
            raise ValueError("its runs do not add up to the picture")
        return masks.frPyObjects({"size": size, "counts": counts}, *size)
    if not (high and wide):
        raise ValueError("the image has no `width` and `height`")
    if any(len(one) < _LEAST_POLYGON or len(one) % 2 for one in mask):
        raise ValueError("a polygon has fewer than three corners")
    if not all(map(_is_near, mask)):
        raise ValueError("a number is not finite, or beyond a billion pixels")
    return masks.merge(masks.frPyObjects(mask, high, wide))
