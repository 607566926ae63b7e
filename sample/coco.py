"""Writes the truth about scenes in COCO's format, so that COCO tools can be used."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample.labels import JOINTS, LABELS, ROWER, SKELETON
from sample.scene import Scene, Thing

Record = dict[str, Any]


def coco_truth(pictures: Iterable[tuple[Record, Sequence[Record]]]) -> Record:
    """Return the truth about pictures, given as image records with their annotations.

    Boxes are x, y, width, height; masks are uncompressed run lengths; rowers have keypoints. Beyond
    COCO's format, an image has `weather`; an annotation has `track`, `visible` (0 to 1), and for a
    name painted on a hull `name`: `text`, `quad` (four corners) and `visible`. See
    https://cocodataset.org/#format-data.
    """
    images: list[Record] = []
    annotations: list[Record] = []
    for number, (image, found) in enumerate(pictures, 1):
        images.append({"id": number, **image})
        for annotation in found:
            numbers = {"id": len(annotations) + 1, "image_id": number}
            annotations.append(numbers | annotation)
    return {
        "info": {"description": "Scenes of Regatta's sample world, with the whole truth"},
        "images": images,
        "annotations": annotations,
        "categories": categories(),
    }


def categories() -> list[Record]:
    """Return the classes, numbered from 1 as in COCO."""
    joints = {"keypoints": list(JOINTS), "skeleton": [list(limb) for limb in SKELETON]}
    return [
        {"id": number, "name": label} | (joints if label == ROWER else {})
        for number, label in enumerate(LABELS, 1)
    ]


def annotations_of(scene: Scene) -> Iterator[Record]:
    """Yield a scene's annotations, without the ids that tie them to it."""
    for place, thing in enumerate(scene.things):
        x1, y1, x2, y2 = thing.box
        mask = scene.mask(place)
        yield {
            "category_id": thing.class_id + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": int(mask.sum()),
            "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
            "iscrowd": 0,
            "track": thing.track,
            "visible": round(thing.visible, 3),
            **_joints(thing),
            **_name(thing),
        }


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return the run lengths of a mask [H,W], column by column; the first run is of zeros."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths: list[int] = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def _joints(thing: Thing) -> Record:
    if thing.joints is None:
        return {}
    points = [round(float(value), 2) for value in thing.joints.ravel()]
    return {"keypoints": points, "num_keypoints": int((thing.joints[:, 2] > 0).sum())}


def _name(thing: Thing) -> Record:
    if thing.name is None:
        return {}
    quad = [[round(float(x), 2), round(float(y), 2)] for x, y in thing.name.quad]
    name = {"text": thing.name.text, "quad": quad, "visible": round(thing.name.visible, 3)}
    return {"name": name}
