"""What a network is trained on: made once, in several processes, and shown in many ways."""

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
"""Where the seeds of training scenes begin; no demo and no test goes that far."""

HELD_OUT_SEEDS = 20_000_000
"""Where the seeds of held-out scenes begin; training never goes that far."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, 0 to 1: those of ImageNet, as everybody's."""

PIXELS = 230_000
"""Of a training scene, where nothing else is said."""

_CHUNK = 16


def pooled(make: Callable[[int], T], count: int, processes: int = 2) -> list[T]:
    """What `make`, a function of some module, makes of each of `count` seeds for training."""
    with get_context("spawn").Pool(processes, cv2.setNumThreads, (1,)) as pool:
        seeds = range(TRAINING_SEEDS, TRAINING_SEEDS + count)
        return pool.map(make, seeds, chunksize=_CHUNK)


def scene_of(seed: int, pixels: int = PIXELS) -> Scene:
    """A scene of about so many pixels: with the seed, all shapes that pictures have take turns."""
    wide, high = SHAPES[seed % len(SHAPES)]
    unit = np.sqrt(pixels / (wide * high))
    return new_world(seed, (round(wide * unit), round(high * unit))).scene()


def normalized(images: list[NDArray[np.uint8]]) -> Floats:
    """Pictures [H,W,3], blue first, as networks want them: RGB [B,3,H,W]."""
    batch = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    return np.ascontiguousarray((batch - mean) / std)
