"""The pictures that a network is trained on: scenes rendered once, shown in many ways."""

from dataclasses import dataclass
from multiprocessing import get_context

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.sizes import SHAPES
from sample.world import new_world

Floats = NDArray[np.float32]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, 0 to 1: those of ImageNet, as everybody's."""

_PIXELS = 230_000
_LEAST_SIDE = 4.0
_LEAST_LEFT = 0.35
_KEPT_WHOLE = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture [H,W,3], blue first, with the classes [T] and boxes [T,4] of its things."""

    image: NDArray[np.uint8]
    classes: NDArray[np.int64]
    boxes: Floats


def render_pool(first_seed: int, count: int, processes: int = 2) -> list[Sample]:
    """`count` scenes with seeds from `first_seed` on, in every shape that the world comes in."""
    with get_context("spawn").Pool(processes) as pool:
        return pool.map(_render, range(first_seed, first_seed + count), chunksize=32)


def _render(seed: int) -> Sample:
    wide, high = SHAPES[seed % len(SHAPES)]
    unit = np.sqrt(_PIXELS / (wide * high))
    scene = new_world(seed, (round(wide * unit), round(high * unit))).scene()
    classes = np.array([thing.class_id for thing in scene.things], np.int64)
    boxes = np.array([thing.box for thing in scene.things], np.float32).reshape(-1, 4)
    return Sample(scene.image, classes, boxes)


def shown(sample: Sample, side: int, rng: np.random.Generator) -> Sample:
    """The picture as a square of `side`, mirrored, cropped and lit by chance."""
    height, width = sample.image.shape[:2]
    low, size = np.zeros(2), np.array([width, height], float)
    if rng.random() > _KEPT_WHOLE:
        # A window that is smaller than the picture, or larger by a grey border.
        size = size * rng.uniform(0.6, 1.25) * np.exp(rng.uniform(-0.12, 0.12, 2))
        low = rng.uniform(0, 1, 2) * ((width, height) - size)
    scale = side / size
    matrix = np.array([[scale[0], 0, -low[0] * scale[0]], [0, scale[1], -low[1] * scale[1]]])
    boxes = (sample.boxes.reshape(-1, 2, 2) - low) * scale
    if rng.random() < 0.5:  # noqa: PLR2004
        matrix = np.array([[-1.0, 0, side], [0, 1, 0]]) @ np.vstack([matrix, [0, 0, 1]])
        boxes[..., 0] = side - boxes[..., ::-1, 0]
    matrix[:, 2] += (matrix[:, :2].sum(1) - 1) / 2  # from corners to middles of pixels, as cv2 has
    image = cv2.warpAffine(
        sample.image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114)
    )
    gain = rng.uniform(0.75, 1.25, 3) * rng.uniform(0.8, 1.2)
    image = cv2.transform(image, np.diag(gain))
    whole = (boxes[:, 1] - boxes[:, 0]).prod(1)
    boxes = boxes.clip(0, side)
    left = boxes[:, 1] - boxes[:, 0]
    keep = (left > _LEAST_SIDE).all(1) & (left.prod(1) > _LEAST_LEFT * whole)
    return Sample(
        np.asarray(image, np.uint8),
        sample.classes[keep],
        boxes[keep].reshape(-1, 4).astype(np.float32),
    )


def normalized(images: list[NDArray[np.uint8]]) -> Floats:
    """Pictures [H,W,3], blue first, as the network wants them: RGB [B,3,H,W]."""
    batch = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    return np.ascontiguousarray((batch - mean) / std)
