"""COCO's panoptic format: https://cocodataset.org/#format-data, "Panoptic Segmentation".

A PNG for each image holds the numbers of its segments (red + 256 green + 65536 blue), and a JSON
document says what each segment is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from annotations.class_list import ClassList
from annotations.coco import image_record
from annotations.document import Records, text_of, write_document
from annotations.pictures import Page, Picture
from annotations.regions import read_mask
from annotations.target import Target
from vision.draw.panoptic import decode_panoptic, encode_panoptic

DOCUMENT = "panoptic.json"
MAPS = "panoptic"


class PanopticWriter:
    """Writes the segments of pictures, and their maps: copies, unless something is left out.

    `all_segments` says that the rows were not narrowed.
    """

    def __init__(
        self,
        target: Target,
        classes: ClassList,
        *,
        info: dict[str, Any],
        all_segments: bool,
        read: Callable[[Picture], bytes] = read_mask,
    ) -> None:
        self._target = target
        self._classes = classes
        self._info = info
        self._all_segments = all_segments
        self._read = read
        self._images = Records(target)
        self._annotations = Records(target)
        self._is_thing: dict[int, bool] = {}
        self.segments = 0

    def add(self, page: Page) -> None:
        """Write pictures, their segments and their maps."""
        self._images.add(map(image_record, page.pictures))
        self._annotations.add(map(self._annotation, page.pictures))

    def _annotation(self, picture: Picture) -> str:
        segments = picture.segments or ()
        self.segments += len(segments)
        name = f"{picture.name}.png"
        self._target.put(f"{MAPS}/{name}", self._map(picture))
        self._is_thing |= {one["class_id"]: one["is_thing"] for one in segments}
        infos = []
        for one in segments:
            x1, y1, x2, y2 = one["box"]
            infos.append(
                {
                    "id": one["id"],
                    "category_id": one["class_id"] + 1,
                    "area": one["area"],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "iscrowd": 0,
                }
            )
        return text_of({"image_id": picture.number + 1, "file_name": name, "segments_info": infos})

    def _map(self, picture: Picture) -> bytes:
        if picture.mask is None:
            return encode_panoptic(np.zeros((picture.height, picture.width), np.int32))
        png = self._read(picture)
        if self._all_segments:
            return png
        ids = decode_panoptic(png)
        kept = np.isin(ids, [one["id"] for one in picture.segments or ()])
        return encode_panoptic(np.where(kept, ids, 0).astype(np.int32))

    def close(self) -> None:
        """Write the document. A class that no picture has counts as stuff."""
        categories = [
            {
                "id": number + 1,
                "name": name,
                "supercategory": "",
                "isthing": int(self._is_thing.get(number, False)),
            }
            for number, name in enumerate(self._classes.names)
        ]
        members = {
            "info": self._info,
            "licenses": [],
            "categories": categories,
            "images": self._images,
            "annotations": self._annotations,
        }
        write_document(self._target.stream(DOCUMENT), members)
