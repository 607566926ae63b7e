"""How good the shipped keypoint model is: object keypoint similarity, by COCO's own code."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.labels import LABELS, ROWER
from sample.score_joints import joint_similarity
from sample.shipped import DETECTOR
from training.crop import Crop, official_crop
from training.held_out import Graph, held_out, results
from training.judge_boxes import precisions
from training.measured import Measured
from training.pool import normalized
from training.pose import SIZE, STRIDE
from training.view import Image

_HALF, _WHOLE_AREA, _MOST_FINDS = 0, 0, -1
_CATEGORY = 1 + LABELS.index(ROWER)


def measure_joints(model: Path, scenes: int, folder: Path) -> Measured:
    """Let an exported model find the joints of held-out scenes' rowers.

    It is shown their true boxes, and then, by `regatta run`, those of the shipped detector.
    """
    dataset = held_out(scenes, folder)
    truth = json.loads(dataset.truth.read_text())
    truth["categories"] = [one for one in truth["categories"] if one["id"] == _CATEGORY]
    truth["annotations"] = [one for one in truth["annotations"] if "keypoints" in one]
    graph = Graph(model)
    finds, similar = [], []
    for record in truth["images"]:
        image = np.asarray(cv2.imread(str(dataset.folder / record["file_name"])), np.uint8)
        for rower in truth["annotations"]:
            if rower["image_id"] != record["id"]:
                continue
            points = _found(image, rower["bbox"], graph)
            if rower["num_keypoints"]:
                similar.append(joint_similarity(rower, points[:, :2]))
            finds.append(_find(record["id"], points, float(points[:, 2].mean())))
    rows = results(dataset, _composed(model, folder), folder)
    there, run = _precision(truth, finds), _precision(truth, _finds(truth, rows))
    return Measured(
        scenes,
        {
            "mean OKS": float(np.mean(similar)),
            "AP": float(there.mean()),
            "AP50": float(there[_HALF].mean()),
            "AP50 with the detector": float(run[_HALF].mean()),
        },
    )


def _composed(model: Path, folder: Path) -> Path:
    """The model behind the shipped detector."""
    path = folder / "composed.toml"
    # JSON's texts and lists are TOML's, too.
    parts = {"detector": str(DETECTOR), "keypoint": str(model)}
    lines = [f"{role} = {json.dumps(part)}" for role, part in parts.items()]
    path.write_text(
        "\n".join(
            ['task = "keypoint"', "[parts]", *lines, "[options]", f"people = {json.dumps([ROWER])}"]
        )
    )
    return path


def _precision(truth: Mapping[str, Any], finds: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
    """COCO's precisions [overlaps, recalls, 1]."""
    found = precisions(truth, finds, "keypoints")
    return np.asarray(found[..., _WHOLE_AREA, _MOST_FINDS], np.float64)


def _finds(
    truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Result rows as COCO has them."""
    numbers = {image["file_name"]: image["id"] for image in truth["images"]}
    for row in rows:
        for find in row["detections"]:
            yield _find(numbers[row["item"]], np.array(find["keypoints"]), find["score"])


def _find(image: int, points: NDArray[np.float64], score: float) -> Mapping[str, Any]:
    keypoints = np.concatenate([points[:, :2], np.ones((len(points), 1))], 1)
    return {
        "image_id": image,
        "category_id": _CATEGORY,
        "keypoints": keypoints.ravel().tolist(),
        "score": score,
    }


def _found(image: Image, bbox: tuple[float, ...], graph: Graph) -> NDArray[np.float64]:
    """The joints [17,3] (x, y, score) of the rower in this box, in pixels of the picture."""
    x, y, wide, high = bbox
    height, width = image.shape[:2]
    crop = official_crop((x, y, x + wide, y + high), (width, height))
    return _restored(graph(normalized([crop.image(image, SIZE)]))[0], crop)


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
