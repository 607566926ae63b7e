"""Pascal VOC's folders: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf.

Boxes are whole numbers: the columns and rows of their first and last pixels, counted from 1. Beyond
VOC's own, an object has a `score`.
"""

from collections.abc import Iterator

import numpy as np

from annotations.class_list import LEFT_OUT, ClassList
from annotations.names import without_suffix
from annotations.pictures import Objects, Page, Picture
from annotations.regions import Segmentations, read_mask
from annotations.target import Target
from annotations.xml_text import content
from vision.draw.segments import encode_mask

_VOID = 255
"""What VOC's maps have where no class is."""


class VocWriter:
    """Writes `Annotations/`, the list of pictures, and `labels.txt`.

    With `segmentations`, pictures also have maps of classes in `SegmentationClass/`.
    """

    def __init__(
        self,
        target: Target,
        classes: ClassList,
        *,
        folder: str,
        segmentations: Segmentations | None = None,
    ) -> None:
        self._target = target
        self._classes = classes
        self._folder = folder
        self._segmentations = segmentations
        self._list = target.stream("ImageSets/Main/default.txt")

    def add(self, page: Page) -> None:
        """Write pictures' files."""
        ends = page.objects.ends(len(page.pictures))
        objects = list(_objects(page.objects))
        for place, picture in enumerate(page.pictures):
            stem = without_suffix(picture.name)
            inside = "".join(objects[ends[place] : ends[place + 1]])
            self._target.put(f"Annotations/{stem}.xml", self._document(picture, inside).encode())
            self._list.write(f"{stem}\n".encode())
            if self._segmentations is not None and picture.mask is not None:
                self._target.put(f"SegmentationClass/{stem}.png", self._map(picture))

    def close(self) -> None:
        """Write the classes, a line each; a map's numbers count them from 0."""
        names = (" ".join(name.splitlines()) for name in self._classes.names)
        self._target.put("labels.txt", "".join(f"{name}\n" for name in names).encode())

    def _document(self, picture: Picture, objects: str) -> str:
        inner, _, file = picture.name.rpartition("/")
        folder = f"{self._folder}/{inner}" if inner else self._folder
        segmented = int(self._segmentations is not None)
        return (
            f"<annotation>\n<folder>{content(folder)}</folder>\n"
            f"<filename>{content(file)}</filename>\n<path>{content(picture.uri)}</path>\n"
            f"<source><database>Regatta</database></source>\n"
            f"<size><width>{picture.width}</width><height>{picture.height}</height>"
            f"<depth>3</depth></size>\n<segmented>{segmented}</segmented>\n{objects}</annotation>\n"
        )

    def _map(self, picture: Picture) -> bytes:
        """Return a picture's map with the export's numbers: a copy if they are the model's."""
        assert self._segmentations is not None
        if self._classes.is_as_in_model:
            return read_mask(picture)
        numbers = self._segmentations.numbers(picture)
        table = np.where(numbers == LEFT_OUT, _VOID, numbers).astype(np.uint8)
        return encode_mask(table[self._segmentations.map_of(picture)])


def _objects(objects: Objects) -> Iterator[str]:
    low = np.floor(objects.xyxy[:, :2] + 0.5).astype(np.int64) + 1
    high = np.maximum(np.floor(objects.xyxy[:, 2:] + 0.5).astype(np.int64), 1)
    low = np.minimum(low, high)
    columns = (low.tolist(), high.tolist(), objects.is_clipped.tolist(), objects.score_texts())
    for label, (x1, y1), (x2, y2), is_cut, score in zip(objects.label, *columns, strict=True):
        scored = f"<score>{score}</score>" if score else ""
        yield (
            f"<object><name>{content(label)}</name><pose>Unspecified</pose>"
            f"<truncated>{int(is_cut)}</truncated><difficult>0</difficult>{scored}"
            f"<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>"
            "</object>\n"
        )
