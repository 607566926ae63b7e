from typing import Any

import numpy as np
import pytest

from sample.coco import categories
from sample.labels import JOINTS, LABELS
from sample.score import joint_similarity, pose_agreement

GULL, ROWER = (1 + LABELS.index(label) for label in ("gull", "rower"))
BOX = (10.0, 10.0, 20.0, 40.0)  # x, y, width, height
POINTS = np.stack([np.linspace(12, 28, len(JOINTS)), np.linspace(12, 48, len(JOINTS))], 1)


def thing(kind: int = ROWER, seen: int = 2, area: int = 400) -> dict[str, Any]:
    joints = np.concatenate([POINTS, np.full((len(JOINTS), 1), seen)], 1)
    keypoints = {"keypoints": joints.ravel().tolist(), "num_keypoints": len(JOINTS) * (seen > 0)}
    return {"image_id": 1, "category_id": kind, "bbox": BOX, "area": area} | (
        keypoints if kind == ROWER else {}
    )


def truth(*things: dict[str, Any]) -> dict[str, Any]:
    images = [{"id": 1, "file_name": "a.jpg"}]
    return {"images": images, "annotations": list(things), "categories": categories()}


def row(*boxes: tuple[float, ...], label: str = "rower", item: str = "a.jpg") -> dict[str, Any]:
    keypoints = np.concatenate([POINTS, np.ones((len(JOINTS), 1))], 1).tolist()
    finds = [
        {"label": label, "score": 0.9, "box": list(box), "keypoints": keypoints} for box in boxes
    ]
    return {"item": item, "detections": finds}


def test_nobody_is_there_and_nobody_is_found() -> None:
    found = pose_agreement(truth(), [row()])
    assert (found.rowers, found.hits, found.recall, found.similarity) == (0, 0, 0, 0)


def test_points_at_the_joints_are_the_same() -> None:
    assert joint_similarity(thing(), POINTS) == 1


def test_what_a_distance_costs_depends_on_the_joint_and_the_size() -> None:
    moved = POINTS.copy()
    moved[JOINTS.index("left_wrist"), 0] += 2.0
    # exp(-d^2 / (2 s^2 k^2)), COCO's k of a wrist being 2 * 0.062
    cost = 1 - np.exp(-4 / (2 * 400 * 0.124**2))
    assert joint_similarity(thing(), moved) == pytest.approx(1 - cost / len(JOINTS))
    assert joint_similarity(thing(area=1600), moved) > joint_similarity(thing(), moved)


def test_joints_outside_of_the_picture_do_not_count() -> None:
    rower = thing()
    rower["keypoints"][2] = 0
    moved = POINTS.copy()
    moved[0] += 100
    assert joint_similarity(rower, moved) == 1
    assert pose_agreement(truth(thing(seen=0)), []).rowers == 0


def test_a_rower_is_found_once_and_by_a_box_about_there() -> None:
    there = (10.0, 10.0, 30.0, 50.0)
    found = pose_agreement(truth(thing()), [row(there, there)])
    assert (found.rowers, found.hits, found.similarity) == (1, 1, 1)
    assert pose_agreement(truth(thing()), [row((30.0, 10.0, 50.0, 50.0))]).hits == 0
    assert pose_agreement(truth(thing()), [row(there, label="gull")]).hits == 0
    assert pose_agreement(truth(thing()), [row(there, item="b.jpg")]).hits == 0
    assert pose_agreement(truth(thing(GULL)), [row(there)]).rowers == 0
