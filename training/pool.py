"""Makes the training samples, once, in several processes; they are then shown in many ways."""

from collections.abc import Callable
from multiprocessing import get_context
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.scene import SHAPES, Scene
from sample.world import new_world

Floats = NDArray[np.float32]
T = TypeVar("T")

TRAINING_SEEDS = 10_000_000
"""The first seed of training scenes; no demo or test goes that far."""

HELD_OUT_SEEDS = 20_000_000
"""The first seed of held-out scenes; training never goes that far."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation of red, green and blue, 0 to 1."""

PIXELS = 230_000
"""The default number of pixels of a training scene."""

_CHUNK = 16


def pooled(make: Callable[[int], T], count: int, processes: int = 2) -> list[T]:
    """Return what `make`, a module-level function, makes of each of `count` training seeds."""
    with get_context("spawn").Pool(processes, cv2.setNumThreads, (1,)) as pool:
        seeds = range(TRAINING_SEEDS, TRAINING_SEEDS + count)
        return pool.map(make, seeds, chunksize=_CHUNK)


def scene_of(seed: int, pixels: int = PIXELS) -> Scene:
    """Return a scene of about `pixels` pixels; by seed, all shapes of pictures take turns."""
    wide, high = SHAPES[seed % len(SHAPES)]
    unit = np.sqrt(pixels / (wide * high))
    return new_world(seed, (round(wide * unit), round(high * unit))).scene()


def normalized(images: list[NDArray[np.uint8]]) -> Floats:
    """Return pictures [H,W,3], blue first, as networks want them: normalized RGB [B,3,H,W]."""
    batch = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    return np.ascontiguousarray((batch - mean) / std)
