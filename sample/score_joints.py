"""How well the joints that were found agree with those that are there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample.labels import JOINTS, ROWER
from sample.score import iou, paired, things_by_file

_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


@dataclass(frozen=True, slots=True)
class PoseAgreement:
    """Of `rowers` with joints, `hits` were found, with a `similarity` (0 to 1) on average."""

    rowers: int
    hits: int
    similarity: float

    @property
    def recall(self) -> float:
        """The part of the rowers that was found, 0 to 1."""
        return self.hits / max(1, self.rowers)


def pose_agreement(truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> PoseAgreement:
    """Compare result rows with the truth in COCO's format about the same files.

    A rower is found where a box of half or more of theirs is; nobody is found twice. Rows about
    files that the truth does not know are passed over.
    """
    wanted = {
        name: [thing for thing in things if thing.get("num_keypoints")]
        for name, things in things_by_file(truth).items()
    }
    similar = [
        joint_similarity(rower, np.array(find["keypoints"])[:, :2])
        for row in rows
        for rower, find in paired(wanted.get(row["item"], ()), row["detections"] or (), _overlap)
    ]
    rowers = sum(map(len, wanted.values()))
    return PoseAgreement(rowers, len(similar), float(np.mean(similar)) if similar else 0.0)


def joint_similarity(rower: Mapping[str, Any], points: NDArray[np.floating[Any]]) -> float:
    """Object keypoint similarity, 0 to 1, of points [17,2] with an annotation that has joints.

    Source: https://cocodataset.org/#keypoints-eval.
    """
    truth = np.array(rower["keypoints"]).reshape(len(JOINTS), 3)
    there = truth[:, 2] > 0
    distance = ((points - truth[:, :2]) ** 2).sum(1)
    part = np.exp(-distance / (2 * rower["area"] * (2 * _SIGMAS) ** 2))
    return float(part[there].mean())


def _overlap(rower: Mapping[str, Any], find: Mapping[str, Any]) -> float:
    return iou(rower["box"], find["box"]) if find["label"] == ROWER else 0.0
