"""How good the shipped keypoint model is: object keypoint similarity, by COCO's own code."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample.coco import annotations_of, coco_truth
from sample.labels import JOINTS, ROWER
from sample.scene import Scene
from sample.sizes import size_of
from sample.world import new_world
from training.crop import Crop, official_crop
from training.held_out import Graph
from training.judge_boxes import precisions
from training.measured import Measured
from training.pool import HELD_OUT_SEEDS, normalized
from training.pose import SIZE, STRIDE

_HALF, _WHOLE_AREA = 0, 0
_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


def measure_joints(model: Path, scenes: int, folder: Path) -> Measured:
    """Let an exported model find the joints of held-out scenes' rowers, in their true boxes."""
    del folder
    graph = Graph(model)
    pictures, finds, similar = [], [], []
    for number in range(scenes):
        scene = new_world(HELD_OUT_SEEDS + number, size_of(number)).scene()
        height, width = scene.image.shape[:2]
        rowers = [note for note in annotations_of(scene) if "keypoints" in note]
        image = {"file_name": str(number), "width": width, "height": height}
        pictures.append((image, rowers))
        for note, points in zip(rowers, _found(scene, graph), strict=True):
            similar += _similarity(note, points)
            keypoints = np.concatenate([points[:, :2], np.ones((len(points), 1))], 1)
            finds.append(
                {
                    "image_id": number + 1,
                    "category_id": note["category_id"],
                    "keypoints": keypoints.ravel().tolist(),
                    "score": float(points[:, 2].mean()),
                }
            )
    truth = coco_truth(pictures)
    truth["categories"] = [one for one in truth["categories"] if one["name"] == ROWER]
    precision = precisions(truth, finds, "keypoints")[..., _WHOLE_AREA, -1]
    return Measured(
        scenes,
        {
            "mean OKS": float(np.mean(similar)),
            "AP": float(precision.mean()),
            "AP50": float(precision[_HALF].mean()),
        },
    )


def _found(scene: Scene, graph: Graph) -> Iterator[NDArray[np.float64]]:
    """The joints [17,3] (x, y, score) of each rower, in pixels of the scene."""
    height, width = scene.image.shape[:2]
    boxes = [thing.box for thing in scene.things if thing.joints is not None]
    for box in boxes:
        crop = official_crop(box, (width, height))
        heatmaps = graph(normalized([crop.image(scene.image, SIZE)]))[0]
        yield _restored(heatmaps, crop)


def _restored(heatmaps: NDArray[np.float32], crop: Crop) -> NDArray[np.float64]:
    """The best points, a quarter of a cell towards the higher neighbour (PaddleDetection)."""
    joints, _, wide = heatmaps.shape
    best = heatmaps.reshape(joints, -1).argmax(1)
    padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    x, y, every = best % wide, best // wide, np.arange(joints)
    dx = np.sign(padded[every, y + 1, x + 2] - padded[every, y + 1, x])
    dy = np.sign(padded[every, y + 2, x + 1] - padded[every, y, x + 1])
    cells = np.stack([x + dx / 4, y + dy / 4], 1)
    scores = heatmaps.reshape(joints, -1).max(1)
    return np.concatenate([crop.points(cells * STRIDE, SIZE), scores[:, None]], 1)


def _similarity(note: Mapping[str, Any], points: NDArray[np.float64]) -> list[float]:
    """OKS of one rower with the joints that the truth has; empty if it has none."""
    truth = np.array(note["keypoints"]).reshape(len(JOINTS), 3)
    there = truth[:, 2] > 0
    distance = ((points[:, :2] - truth[:, :2]) ** 2).sum(1)
    part = np.exp(-distance / (2 * note["area"] * (2 * _SIGMAS) ** 2))
    return [float(part[there].mean())] if there.any() else []
