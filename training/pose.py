"""Trains the shipped keypoint model, which finds the joints of one rower."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.labels import JOINTS
from training.crop import ASPECT, GROWN
from training.export import export, image_spec
from training.fit import Plan, fit, seed_all
from training.layers import Encoder, Layer, Pyramid, Unit, nn
from training.pool import MEAN, STD, normalized, pooled, scene_of
from training.view import Image, View, lit, view_of
from worker.engines.paddle.vendor import paddle

Floats = NDArray[np.float32]

_SIGMA = 1.5  # cells


def targets(joints: Floats, size: tuple[int, int], stride: int) -> tuple[Floats, Floats]:
    """Return the heatmaps [N,K,h,w] of joints [N,K,3] (x, y, visibility), and their weights [N,K].

    `size` (width, height) is the input's in pixels, of which a cell covers `stride` x `stride`. The
    peaks are 1 high at the joint itself, which need not be a cell's middle (unbiased, as DARK reads
    them; Zhang 2020). The cell of the point p is p / stride, as in PaddleDetection. Joints outside
    the picture or the heatmap have no weight.
    """
    columns, rows = np.arange(size[0] // stride), np.arange(size[1] // stride)
    cells = joints[..., :2] / stride
    across = np.exp(-((columns - cells[..., :1]) ** 2) / (2 * _SIGMA**2))
    down = np.exp(-((rows - cells[..., 1:]) ** 2) / (2 * _SIGMA**2))
    inside = ((cells >= 0) & (cells <= (columns[-1], rows[-1]))).all(-1)
    weights = inside & (joints[..., 2] > 0)
    heatmaps = down[..., :, None] * across[..., None, :]
    return heatmaps.astype(np.float32), weights.astype(np.float32)


SIZE = (96, 128)
"""Width and height of the network's input, in pixels."""

STRIDE = 4
"""Pixels of the input per cell of a heatmap."""

BATCH = 32

_WIDTHS = (12, 24, 40, 64, 80)
_NECK = 32
_PIXELS = 900_000  # per scene: rowers are small
_LEAST_HEIGHT = 20.0
_MARGIN = 1.9  # of a stored picture around its rower: room to rotate
_MOST_TURN = 0.35
_SCALE = 1000.0  # so that the loss is about 1
_MIRRORED = [0, *(number + 1 if number % 2 else number - 1 for number in range(1, len(JOINTS)))]


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A picture [H,W,3] with a rower in `box`, and the rower's joints [17,3] in pixels."""

    image: Image
    box: tuple[float, float, float, float]
    joints: NDArray[np.float32]


class Pose(Layer):  # type: ignore[misc]
    """Predicts a heatmap for each joint; see `forward`."""

    def __init__(self, joints: int) -> None:
        super().__init__()
        self.encoder = Encoder(_WIDTHS)
        self.pyramid = Pyramid(_WIDTHS[1:], _NECK)
        self.join = nn.Sequential(Unit(_NECK, _NECK), Unit(_NECK, _NECK))
        self.show = nn.Conv2D(_NECK, joints, 1)

    def forward(self, image: Any) -> Any:
        """Return heatmaps [B,joints,H/4,W/4], about 0 to 1, for normalized RGB [B,3,H,W]."""
        return self.show(self.join(self.pyramid(self.encoder(image)[1:])[0]))


class Deployed(Layer):  # type: ignore[misc]
    """The network with the outputs that PaddleDetection's exports have beside the heatmaps."""

    def __init__(self, pose: Pose) -> None:
        super().__init__()
        self.pose = pose

    def forward(self, image: Any) -> tuple[Any, Any]:
        """Return heatmaps and each one's best cell [B,joints] for normalized RGB [B,3,H,W]."""
        heatmaps = self.pose(image)
        return heatmaps, heatmaps.flatten(2).argmax(2)


def people_of(seed: int) -> list[Person]:
    """Return the rowers of the scene with this seed, each in a picture of its own."""
    scene = scene_of(seed, _PIXELS)
    height, width = scene.image.shape[:2]
    people = []
    for thing in scene.things:
        x1, y1, x2, y2 = thing.box
        if thing.joints is None or y2 - y1 < _LEAST_HEIGHT:
            continue
        reach = _MARGIN * max(x2 - x1, y2 - y1) / 2
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        left, top = max(0, int(x - reach)), max(0, int(y - reach))
        right, bottom = min(width, int(x + reach)), min(height, int(y + reach))
        people.append(
            Person(
                scene.image[top:bottom, left:right].copy(),
                (x1 - left, y1 - top, x2 - left, y2 - top),
                (thing.joints - (left, top, 0)).astype(np.float32),
            )
        )
    return people


def train(scenes: int, plan: Plan) -> Pose:
    """Train the network and return it."""
    seed_all(4)
    rng = np.random.default_rng(4)
    pool = [person for people in pooled(people_of, scenes) for person in people]
    network = Pose(len(JOINTS))

    def losses() -> dict[str, Any]:
        chosen = [_shown(pool[number], rng) for number in rng.integers(len(pool), size=BATCH)]
        images, joints = [image for image, _ in chosen], np.stack([joints for _, joints in chosen])
        heatmaps = network(paddle.to_tensor(normalized(images)))
        wanted, weights = targets(joints, SIZE, STRIDE)
        error = ((heatmaps - paddle.to_tensor(wanted)) ** 2).mean([2, 3])
        return {"heatmaps": (error * paddle.to_tensor(weights)).mean() * _SCALE}

    fit(network, losses, plan)
    return network


def _shown(person: Person, rng: np.random.Generator) -> tuple[Image, NDArray[np.float32]]:
    """Return the crop as a detector might have placed it, and the joints in its pixels."""
    view = _random_crop(person.box, rng)
    # Like the official crop, which counts pixels by their corner; outside it is black.
    image = cv2.warpAffine(person.image, view.matrix, view.size, flags=cv2.INTER_LINEAR)
    joints = person.joints.copy()
    joints[:, :2] = view.points(joints[:, :2])
    if view.mirrored:
        joints = joints[_MIRRORED]
    return lit(np.asarray(image, np.uint8), rng), joints


def _random_crop(box: tuple[float, float, float, float], rng: np.random.Generator) -> View:
    x1, y1, x2, y2 = box
    size = np.array([x2 - x1, y2 - y1])
    middle = np.array([x1 + x2, y1 + y2]) / 2 + rng.normal(0, 0.04, 2) * size
    width, height = size * np.exp(rng.normal(0, 0.08, 2)) * GROWN
    # The crop fills the input's width; a slim one has been widened.
    width = max(width, height * ASPECT)
    half = np.array([width, width / ASPECT]) / 2
    (left, top), (right, bottom) = (middle - half).tolist(), (middle + half).tolist()
    angle = float(rng.uniform(-_MOST_TURN, _MOST_TURN)) if rng.random() < 0.5 else 0.0  # noqa: PLR2004
    mirrored = bool(rng.random() < 0.5)  # noqa: PLR2004
    return view_of((left, top, right, bottom), SIZE, angle=angle, mirrored=mirrored)


def export_pose(pose: Pose, directory: Path) -> None:
    """Write `infer_cfg.yml` and the graph, as PaddleDetection's `tools/export_model.py` does."""
    width, height = SIZE
    config = {
        "mode": "paddle",
        "draw_threshold": 0.5,
        "metric": "KeyPointTopDownCOCOEval",
        "use_dynamic_shape": False,
        "arch": "HRNet",
        "min_subgraph_size": 3,
        "Preprocess": [
            {"type": "TopDownEvalAffine", "trainsize": [width, height]},
            {"type": "NormalizeImage", "is_scale": True, "mean": list(MEAN), "std": list(STD)},
            {"type": "Permute"},
        ],
        "label_list": ["keypoint"],
    }
    export(Deployed(pose), directory, [image_spec("image", height, width)], "infer_cfg.yml", config)
