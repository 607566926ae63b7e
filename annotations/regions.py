"""The pixels of objects: as run lengths, or as outlines; and the regions in maps of classes."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from annotations.class_list import LEFT_OUT, ClassList
from annotations.pictures import Objects, Page, Picture
from predictions.run_lengths import RunLengths
from store.locations import open_store
from store.objects import ObjectStore
from vision.draw.segments import decode_mask, is_background
from vision.regions import outlines
from vision.rle import area, box_around, runs_of

Ring = NDArray[np.float64]


class Shape(StrEnum):
    """How a format takes the pixels of an object."""

    RUNS = "rle"
    OUTLINES = "polygons"


def read_mask(picture: Picture) -> bytes:
    """Return the file of a picture's map."""
    assert picture.mask is not None
    return _store(picture.output).get(picture.mask)


@cache
def _store(output: str) -> ObjectStore:
    return open_store(output)


def outlines_of(mask: RunLengths) -> list[Ring]:
    """Return the outer edges of a mask's regions, each (M, 2) of x and y, the largest first.

    Holes are filled. Regions below 16 pixels are left out, unless all are: then a box stands for
    them.
    """
    if not area(mask):
        return []
    x1, y1, x2, y2 = box_around(mask)
    inside = mask.decode()[y1:y2, x1:x2].astype(np.uint8)
    corner = np.array([x1, y1], np.float64)
    regions = outlines(inside, background=0)
    found: list[Ring] = [one.polygon.astype(np.float64) + corner for one in regions]
    return found or [np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64)]


def surface(ring: Ring) -> float:
    """Return the area within a ring (M, 2): the shoelace formula."""
    x, y = ring.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


class Segmentations:
    """Makes objects of maps of classes, one for each class in a picture.

    `background` is the class of the maps that is none. `read` returns a picture's map.
    """

    def __init__(
        self,
        classes: ClassList,
        background: int | None,
        *,
        read: Callable[[Picture], bytes] = read_mask,
    ) -> None:
        self._classes = classes
        self._background = background
        self._read = read

    def numbers(self, picture: Picture) -> NDArray[np.int64]:
        """Return the number in the export of each of a map's 256 values, `LEFT_OUT` for some.

        What the row does not name was left out of the job.
        """
        wanted = {one["class_id"]: one["label"] for one in picture.classes or ()}
        table = np.full(256, LEFT_OUT, np.int64)
        for value in range(256):
            number = self._classes.number_of(value)
            if number in wanted and value != self._background:
                table[value] = LEFT_OUT if is_background(wanted[number]) else number
        return table

    def map_of(self, picture: Picture) -> NDArray[np.uint8]:
        """Return a picture's map [H,W]: the model's classes."""
        return decode_mask(self._read(picture))

    def with_regions(self, page: Page) -> Page:
        """Return the page with an object for each class in the maps of its pictures."""
        found: list[tuple[int, int, RunLengths]] = []
        for place, picture in enumerate(page.pictures):
            if picture.mask is None:
                continue
            table = self.numbers(picture)
            exported = table[self.map_of(picture)]
            present = np.unique(exported[exported != LEFT_OUT]).tolist()
            found += [(place, number, runs_of(exported == number)) for number in present]
        return Page(page.pictures, _as_objects(found, self._classes.names))


def _as_objects(found: Sequence[tuple[int, int, RunLengths]], names: Sequence[str]) -> Objects:
    boxes = [box_around(mask) for _, _, mask in found]
    return Objects(
        picture=np.array([place for place, _, _ in found], np.int64),
        number=np.array([number for _, number, _ in found], np.int32),
        label=[names[number] for _, number, _ in found],
        scores=np.full(len(found), np.nan, np.float32),
        xyxy=np.array(boxes, np.float64).reshape(-1, 4),
        is_clipped=np.zeros(len(found), np.bool_),
        masks=[mask for _, _, mask in found],
    )


def rings_of(objects: Objects, place: int) -> list[Ring]:
    """Return the outlines of an object: its polygons, or those of its mask; none if it has none."""
    if objects.polygons is not None and (polygons := objects.polygons[place]) is not None:
        return polygons
    if objects.masks is not None and (mask := objects.masks[place]) is not None:
        return outlines_of(mask)
    return []
