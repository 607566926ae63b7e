"""A segment of a panoptic map."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a panoptic map: `area` pixels within `box` (x1, y1, x2, y2).

    `id` is its number in the map (COCO's: red + 256 green + 65536 blue). Things are apart from
    each other, what is no thing is one segment per class.
    """

    id: int
    label: str
    class_id: int
    is_thing: bool
    area: int
    box: tuple[int, int, int, int]
