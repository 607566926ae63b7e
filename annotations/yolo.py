"""YOLO's text files: a file for each image, a line for each object, sizes as shares of the image's.

Lines are `class cx cy w h` (boxes), `class x1 y1 x2 y2 ...` (outlines), or `class cx cy w h` and
`x y v` for each joint (poses), as https://docs.ultralytics.com/datasets/ describes. Scores have no
place there.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from annotations.class_list import ClassList
from annotations.names import without_suffix
from annotations.pictures import Objects, Page, Picture, seen_joints
from annotations.regions import Ring, rings_of
from annotations.target import Target
from vision.skeletons import Skeleton, skeleton_of


class YoloWriter:
    """Writes `labels/` for the pictures in `images/`, and `data.yaml`.

    An object in several parts is one line, or, if `apart`, one for each.
    """

    def __init__(self, target: Target, classes: ClassList, *, apart: bool = False) -> None:
        self._target = target
        self._classes = classes
        self._apart = apart
        self._joints: int | None = None

    def add(self, page: Page) -> None:
        """Write pictures' files; those without objects are empty, which makes them backgrounds."""
        if page.objects.keypoints is not None:
            self._joints = page.objects.keypoints.shape[1]
        lines = list(_lines(page, apart=self._apart))
        ends = page.objects.ends(len(page.pictures))
        for place, picture in enumerate(page.pictures):
            text = "".join(lines[ends[place] : ends[place + 1]])
            self._target.put(f"labels/{without_suffix(picture.name)}.txt", text.encode())

    def close(self) -> None:
        """Write `data.yaml`: where things are, and the classes."""
        data: dict[str, object] = {
            # Without `path`, tools look beside this file, so that the folder can be moved.
            "train": "images",
            "val": "images",
            "names": dict(enumerate(self._classes.names)),
        }
        if self._joints is not None:
            skeleton = skeleton_of(self._joints)
            data["kpt_shape"] = [len(skeleton.joints), 3]
            data["flip_idx"] = _mirrored(skeleton)
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
        self._target.put("data.yaml", text.encode())


def _lines(page: Page, *, apart: bool) -> Iterator[str]:
    """Yield each object's lines: all the same kind, as a model's objects all have the same."""
    objects = page.objects
    sizes = np.array([(one.width, one.height) for one in page.pictures], np.float64)
    sizes = sizes.reshape(-1, 2)[objects.picture]
    if objects.masks is not None or objects.polygons is not None:
        return _outlines(objects, sizes, apart=apart)
    heads = _box_lines(objects, sizes)
    if objects.keypoints is None:
        return (f"{head}\n" for head in heads)
    return (
        f"{head} {_joint_text(joints, page.pictures[place])}\n"
        for head, joints, place in zip(heads, objects.keypoints, objects.picture, strict=True)
    )


def _outlines(objects: Objects, sizes: NDArray[np.float64], *, apart: bool) -> Iterator[str]:
    for place, number in enumerate(objects.number.tolist()):
        rings = rings_of(objects, place)
        if not rings:
            x1, y1, x2, y2 = objects.xyxy[place]
            rings = [np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])]
        yield "".join(
            f"{number} {_share_text(ring / sizes[place])}\n"
            for ring in (rings if apart else [joined(rings)])
        )


def _share_text(shares: NDArray[np.float64]) -> str:
    return " ".join(f"{share:.6f}" for share in shares.clip(0, 1).ravel().tolist())


def joined(rings: Sequence[Ring]) -> Ring:
    """Return one ring that goes around several, along lines of no width between them.

    Each further ring is entered and left at its point that is nearest to the way so far.
    """
    way = rings[0]
    for ring in rings[1:]:
        distances, nearest = cKDTree(way).query(ring)
        enter = int(distances.argmin())
        leave = int(nearest[enter])
        around = np.roll(ring, -enter, axis=0)
        way = np.concatenate([way[: leave + 1], around, around[:1], way[leave:]])
    return way


def _box_lines(objects: Objects, sizes: NDArray[np.float64]) -> list[str]:
    low, high = objects.xyxy[:, :2] / sizes, objects.xyxy[:, 2:] / sizes
    shares = np.concatenate([(low + high) / 2, high - low], axis=1)
    return [
        f"{number} {x:.6f} {y:.6f} {w:.6f} {h:.6f}"
        for number, (x, y, w, h) in zip(objects.number.tolist(), shares.tolist(), strict=True)
    ]


def _joint_text(joints: NDArray[np.float32], picture: Picture) -> str:
    seen = seen_joints(joints, picture.width, picture.height)
    shares = joints[:, :2] / np.array([picture.width, picture.height], np.float64)
    return " ".join(
        f"{x:.6f} {y:.6f} 2" if is_seen else "0 0 0"
        for (x, y), is_seen in zip(shares.tolist(), seen.tolist(), strict=True)
    )


def _mirrored(skeleton: Skeleton) -> list[int]:
    """Return for each joint the number of the one on the person's other side."""
    return [skeleton.joints.index(_other_side(name)) for name in skeleton.joints]


def _other_side(joint: str) -> str:
    if joint.startswith("left"):
        return joint.replace("left", "right")
    return joint.replace("right", "left")
