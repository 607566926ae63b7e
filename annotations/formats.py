"""The formats of exports: the one table of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.tasks import CLASSIFY, DETECT, KEYPOINT, OCR, PANOPTIC, SEGMENT, TASKS


@dataclass(frozen=True, slots=True)
class Format:
    """A format that results can be exported to.

    `tasks` are those of the models whose results it can hold. `suffixes` are those of an export
    that is a single file; none if it is always a folder. `pictures` is the folder for pictures;
    empty if it has none, and with `is_swapped` readers put another name in place of the last
    folder of that name. If `by_stem`, a picture is known by its name without suffix. `is_tabular`
    formats hold rows as they are.
    """

    name: str
    tasks: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    pictures: str = ""
    by_stem: bool = False
    is_swapped: bool = False
    is_tabular: bool = False


_ALL = (
    Format("coco", (DETECT, KEYPOINT, SEGMENT, PANOPTIC, OCR), (".json",), "images"),
    Format("yolo", (DETECT, KEYPOINT, SEGMENT, OCR), (), "images", by_stem=True, is_swapped=True),
    Format("voc", (DETECT, KEYPOINT, SEGMENT, OCR), (), "JPEGImages", by_stem=True),
    Format("csv", TASKS, (".csv",), is_tabular=True),
    Format("jsonl", TASKS, (".jsonl", ".ndjson"), is_tabular=True),
    Format("parquet", TASKS, is_tabular=True),
    Format("labelstudio", (DETECT, KEYPOINT, CLASSIFY, SEGMENT, OCR)),
    Format("cvat", (DETECT, KEYPOINT, CLASSIFY, SEGMENT, OCR), (".xml",), "images"),
)

FORMATS: Mapping[str, Format] = {one.name: one for one in _ALL}
"""All formats, by name."""
