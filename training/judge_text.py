"""How good the shipped text models are: finding names on hulls, and reading them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from sample.scene import Scene
from sample.score_names import quad_iou
from sample.sizes import size_of
from sample.world import new_world
from training.alphabet import CHARACTERS
from training.held_out import Graph
from training.measured import Measured
from training.pool import HELD_OUT_SEEDS, normalized
from training.recognizer import as_input, cut_out
from training.shrink import grown
from training.text_detector import LONGEST, is_readable
from training.view import Image

_MULTIPLE = 32
_LEAST_SIDE = 3.0
_LEAST_OVERLAP = 0.5

Floats = NDArray[np.float32]


def measure_finding(model: Path, scenes: int, folder: Path) -> Measured:
    """How many names of held-out scenes are found, and how many finds are names (at IoU 0.5)."""
    del folder
    graph = Graph(model)
    post = yaml.safe_load((model / "inference.yml").read_text())["PostProcess"]
    things = hits = found = 0
    for scene in _scenes(scenes):
        scale = min(1.0, LONGEST / max(scene.image.shape[:2]))
        names = [thing.name for thing in scene.things if thing.name is not None]
        read = [name.quad for name in names if is_readable(name, scale)]
        others = [name.quad for name in names if not is_readable(name, scale)]
        things += len(read)
        for quad in _quads(graph, scene.image, post):
            best = max(range(len(read)), key=lambda n: quad_iou(read[n], quad), default=None)
            if best is not None and quad_iou(read[best], quad) >= _LEAST_OVERLAP:
                del read[best]
                hits, found = hits + 1, found + 1
            elif not any(quad_iou(other, quad) > 0 for other in others):
                found += 1
    recall, precision = hits / max(1, things), hits / max(1, found)
    hmean = 2 * recall * precision / max(1e-9, recall + precision)
    return Measured(scenes, {"hmean": hmean, "recall": recall, "precision": precision})


def measure_reading(model: Path, scenes: int, folder: Path) -> Measured:
    """How much of the names of held-out scenes is read right, where the truth has them."""
    del folder
    graph = Graph(model)
    characters = wrong = lines = exact = 0
    for scene in _scenes(scenes):
        for thing in scene.things:
            if thing.name is None or not is_readable(thing.name):
                continue
            line = cut_out(scene.image, thing.name.quad)
            text = _text(graph(as_input([line]))[0].argmax(1))
            distance = edits(thing.name.text, text)
            characters, wrong = characters + len(thing.name.text), wrong + distance
            lines, exact = lines + 1, exact + (distance == 0)
    return Measured(
        scenes,
        {
            "characters right": 1 - wrong / max(1, characters),
            "names right": exact / max(1, lines),
        },
    )


def edits(one: str, other: str) -> int:
    """How many characters have to be added, dropped or changed (Levenshtein 1965)."""
    before = list(range(len(other) + 1))
    for row, here in enumerate(one, 1):
        now = [row]
        for column, there in enumerate(other, 1):
            change = before[column - 1] + (here != there)
            now.append(min(before[column] + 1, now[-1] + 1, change))
        before = now
    return before[-1]


def _scenes(count: int) -> Iterator[Scene]:
    for number in range(count):
        yield new_world(HELD_OUT_SEEDS + number, size_of(number)).scene()


def _text(classes: Sequence[int] | NDArray[np.intp]) -> str:
    """What the best class of each step says: repetitions count once, and 0 not at all."""
    last, text = 0, ""
    for number in map(int, classes):
        if number not in (0, last):
            text += CHARACTERS[number - 1]
        last = number
    return text


def _quads(graph: Graph, image: Image, post: dict[str, float]) -> Iterator[Floats]:
    """The quads [4,2] that the detector finds, in pixels of the picture (PaddleOCR's way)."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    high, wide = (
        max(1, round(int(side * scale) / _MULTIPLE)) * _MULTIPLE for side in (height, width)
    )
    resized = np.asarray(cv2.resize(image, (wide, high)), np.uint8)
    probability = graph(normalized([resized[..., ::-1]]))[0, 0]
    mask = (probability > post["thresh"]).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        rectangle = cv2.minAreaRect(contour)
        inner = cv2.boxPoints(rectangle)
        inside = np.zeros_like(mask)
        cv2.fillPoly(inside, [inner.astype(np.int32)], 1)
        if min(rectangle[1]) < _LEAST_SIDE:
            continue
        if cv2.mean(probability, inside)[0] < post["box_thresh"]:
            continue
        outline = grown(np.asarray(inner, np.float32), post["unclip_ratio"])
        quad = cv2.boxPoints(cv2.minAreaRect(outline))
        yield np.asarray(quad * (width / wide, height / high), np.float32)
