"""Draws a few pictures for trying out a model: scenes, or the parts that its task looks at."""

from collections.abc import Iterator

import cv2
import numpy as np

from sample.scene import Name, Thing
from sample.weather import Image
from sample.world import new_world

_SEEDS = (3, 6, 8, 9)  # scenes with things of every kind, large and small
_MARGIN = 0.15  # of a rower's box, on each side
_READABLE = 0.9  # the share of a name that must be visible
_LINE_HEIGHT = 48


def sample_pictures(task: str) -> Iterator[Image]:
    """Yield pictures [H,W,3], blue first, the same every time.

    A keypoint model gets single rowers before whole scenes, and a text recognizer single names.
    """
    scenes = [new_world(seed).scene() for seed in _SEEDS]
    for scene in scenes:
        if task == "keypoint":
            rowers = (thing for thing in scene.things if thing.joints is not None)
            yield from (_around(scene.image, rower) for rower in rowers)
        if task == "text_rec":
            names = (thing.name for thing in scene.things if thing.name is not None)
            yield from (_line(scene.image, one) for one in names if one.visible >= _READABLE)
    if task != "text_rec":
        yield from (scene.image for scene in scenes)


def _around(image: Image, thing: Thing) -> Image:
    x1, y1, x2, y2 = thing.box
    wide, high = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
    top, left = max(0, round(y1 - high)), max(0, round(x1 - wide))
    return image[top : round(y2 + high), left : round(x2 + wide)]


def _line(image: Image, name: Name) -> Image:
    """Return a name as an upright line of text."""
    top_left, top_right, _, bottom_left = name.quad
    ratio = np.linalg.norm(top_right - top_left) / np.linalg.norm(bottom_left - top_left)
    width = max(1, round(float(ratio) * _LINE_HEIGHT))
    corners = np.array([(0, 0), (width, 0), (width, _LINE_HEIGHT), (0, _LINE_HEIGHT)], np.float32)
    matrix = cv2.getPerspectiveTransform(name.quad, corners)
    return np.asarray(cv2.warpPerspective(image, matrix, (width, _LINE_HEIGHT)), np.uint8)
