"""COCO's JSON: https://cocodataset.org/#format-data and #format-results.

Boxes are x, y, width and height, numbers count from 1, and masks are compressed run lengths whose
`counts` are text. Beyond COCO's own, an annotation has a `score`, and `track_id` or COCO-Text's
`utf8_string` where the model gives them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from annotations.class_list import ClassList
from annotations.document import Records, text_of, write_document
from annotations.pictures import Objects, Page, Picture, seen_joints
from annotations.regions import Ring, Shape, rings_of, surface
from annotations.target import Target
from predictions.run_lengths import RunLengths
from vision.rle import as_coco
from vision.skeletons import skeleton_of

ANNOTATIONS = "annotations.json"
RESULTS = "results.json"
IMAGES = "images.json"


class CocoWriter:
    """Writes a dataset: images, categories, and annotations that have scores.

    With `as_results`, the annotations are a list of their own, as COCO's tools take detections;
    beside it, unless there is room for a single file only, are the images and categories.
    """

    def __init__(
        self,
        target: Target,
        classes: ClassList,
        *,
        info: dict[str, Any],
        shape: Shape = Shape.RUNS,
        as_results: bool = False,
        is_file: bool = False,
    ) -> None:
        self._target = target
        self._classes = classes
        self._info = info
        self._shape = shape
        self._as_results = as_results
        self._is_file = is_file
        self._images = Records(target)
        self._annotations = Records(target)
        self._count = 0
        self._joints: int | None = None

    def add(self, page: Page) -> None:
        """Write pictures and their objects."""
        self._images.add(map(image_record, page.pictures))
        if page.objects.keypoints is not None:
            self._joints = page.objects.keypoints.shape[1]
        self._annotations.add(self._records(page))

    def close(self) -> None:
        """Write the files."""
        names = self._classes.names
        categories = [_category(number, name, self._joints) for number, name in enumerate(names, 1)]
        head = {"info": self._info, "licenses": [], "categories": categories}
        annotations: Any = self._annotations
        if self._as_results:
            annotations.write_to(self._target.stream(RESULTS))
            annotations = []
        if not (self._as_results and self._is_file):
            name = IMAGES if self._as_results else ANNOTATIONS
            members = {**head, "images": self._images, "annotations": annotations}
            write_document(self._target.stream(name), members)

    def _records(self, page: Page) -> Iterator[str]:
        objects, first = page.objects, self._count + 1
        self._count += len(objects)
        images = np.array([one.number + 1 for one in page.pictures], np.int64)[objects.picture]
        shapes = list(self._shapes(objects))
        rows = zip(
            range(first, first + len(objects)),
            images.tolist(),
            (objects.number + 1).tolist(),
            boxes_of(objects).tolist(),
            shapes or _box_areas(objects),
            objects.score_texts(),
            self._extras(page),
            strict=True,
        )
        if self._as_results:
            for _, image, category, box, area, score, extra in rows:
                _, segmentation = _parted(area)
                head = f'"image_id": {image}, "category_id": {category}, "bbox": {box}'
                yield f'{{{head}, "score": {score or 1.0}{segmentation}{extra}}}'
            return
        for number, image, category, box, shape, score, extra in rows:
            area, segmentation = _parted(shape)
            scored = f', "score": {score}' if score else ""
            yield (
                f'{{"id": {number}, "image_id": {image}, "category_id": {category}, "bbox": {box}, '
                f'"area": {area}, "iscrowd": 0{scored}{segmentation}{extra}}}'
            )

    def _shapes(self, objects: Objects) -> Iterator[tuple[float, str]]:
        """Yield the area and the segmentation of each object; nothing if none has pixels.

        An object without an outline has none: readers fail on an empty one.
        """
        if objects.polygons is None and objects.masks is None:
            return
        for place, area in enumerate(_box_areas(objects)):
            mask = None if objects.masks is None else objects.masks[place]
            if objects.polygons is None and mask is not None and self._shape is Shape.RUNS:
                yield _of_runs(mask)
            else:
                rings = rings_of(objects, place)
                yield _of_rings(rings) if rings else (area, "")

    def _extras(self, page: Page) -> Iterator[str]:
        """Yield what else each object has, as members that follow others."""
        objects = page.objects
        if objects.keypoints is None and objects.texts is None and objects.tracks is None:
            yield from [""] * len(objects)
            return
        for place in range(len(objects)):
            extra = ""
            if objects.keypoints is not None:
                picture = page.pictures[objects.picture[place]]
                extra += self._joints_of(objects.keypoints[place], picture)
            if objects.texts is not None and (text := objects.texts[place]) is not None:
                extra += f', "utf8_string": {text_of(text)}'
            if objects.tracks is not None and (track := objects.tracks[place]) is not None:
                extra += f', "track_id": {track}'
            yield extra

    def _joints_of(self, joints: NDArray[np.float32], picture: Picture) -> str:
        """Return the members about joints (K, 3).

        Results keep them as they are. In a dataset, joints that are not seen are not labelled: all
        of their three numbers are 0.
        """
        if self._as_results:
            return f', "keypoints": {_rounded(joints.ravel(), 3).tolist()}'
        seen = seen_joints(joints, picture.width, picture.height)
        values = np.where(seen[:, None], _rounded(joints, 2), 0)
        values[:, 2] = seen * 2
        numbers: list[float] = [
            int(value) if place % 3 == 2 else value  # noqa: PLR2004 - the third is a flag
            for place, value in enumerate(values.ravel().tolist())
        ]
        return f', "num_keypoints": {int(seen.sum())}, "keypoints": {numbers}'


def image_record(picture: Picture) -> str:
    """Return COCO's record of an image; `coco_url` is where the item lies."""
    frame = "" if picture.frame is None else f', "frame_id": {picture.frame}'
    return (
        f'{{"id": {picture.number + 1}, "file_name": {text_of(picture.name)}, '
        f'"width": {picture.width}, "height": {picture.height}, '
        f'"coco_url": {text_of(picture.uri)}{frame}}}'
    )


def boxes_of(objects: Objects) -> NDArray[np.float64]:
    """Return the boxes as x, y, width and height (N, 4), to a hundredth of a pixel."""
    corners = objects.xyxy.round(2)
    sizes = (corners[:, 2:] - corners[:, :2]).round(2)
    return np.concatenate([corners[:, :2], sizes], axis=1)


def _category(number: int, name: str, joints: int | None) -> dict[str, Any]:
    category: dict[str, Any] = {"id": number, "name": name, "supercategory": ""}
    if joints is not None:
        skeleton = skeleton_of(joints)
        category["keypoints"] = list(skeleton.joints)
        category["skeleton"] = [[first + 1, second + 1] for first, second in skeleton.limbs]
    return category


def _box_areas(objects: Objects) -> list[float]:
    sizes = objects.xyxy[:, 2:] - objects.xyxy[:, :2]
    areas: list[float] = sizes.prod(axis=1).round(2).tolist()
    return areas


def _parted(shape: float | tuple[float, str]) -> tuple[float, str]:
    return shape if isinstance(shape, tuple) else (shape, "")


def _of_runs(mask: RunLengths) -> tuple[float, str]:
    text = text_of({"size": list(mask.size), "counts": mask.counts})
    return int(coco.area(as_coco(mask))), f', "segmentation": {text}'


def _of_rings(rings: Sequence[Ring]) -> tuple[float, str]:
    flat = [ring.ravel().round(2).tolist() for ring in rings]
    return round(sum(map(surface, rings)), 2), f', "segmentation": {text_of(flat)}'


def _rounded(values: NDArray[np.float32], digits: int) -> NDArray[np.float64]:
    rounded: NDArray[np.float64] = values.astype(np.float64).round(digits)
    return rounded
