"""Trains the shipped text recognizer, which reads a name that a detector has found."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.canvas import Canvas, Place
from sample.lettering import NAMES, letter
from training.alphabet import CHARACTERS, CLASSES, encoded
from training.export import export, image_spec
from training.fit import Plan, fit, seed_all
from training.layers import Layer, Residual, Unit, functional, nn
from training.pool import pooled, scene_of
from training.view import Image, lit
from worker.engines.paddle.vendor import paddle

HEIGHT, WIDTH = 32, 160
"""The size of a line as the network sees it, in pixels; a longer line may be wider."""

BATCH = 32

_PIXELS = 1_100_000  # per scene: names are small
_LEAST_HEIGHT, _LEAST_SEEN = 6.0, 0.9
_DRAWN = 10  # lines per scene
_LONGEST = 9  # characters of a drawn line
_NAMES_PART = 0.35
_REACH = 0.8  # of a stored picture around its line, in line heights
_STEM, _MIDDLE, _LAST = 16, 48, 96


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A picture [H,W,3] with a line of text in a quad [4,2]."""

    image: Image
    quad: NDArray[np.float32]
    text: str


class Recognizer(Layer):  # type: ignore[misc]
    """Scores the characters at every step along a line; see `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            Unit(3, _STEM, stride=2),
            Unit(_STEM, 2 * _STEM),
            Unit(2 * _STEM, _MIDDLE, stride=2),
            Residual(_MIDDLE),
            Unit(_MIDDLE, 64, stride=(2, 1)),
            Residual(64),
            Unit(64, _LAST, stride=(2, 1)),
        )
        self.join = Unit(2 * _LAST, _LAST, 1)
        self.along = Residual(_LAST)
        self.read = nn.Linear(_LAST, CLASSES)

    def forward(self, x: Any) -> Any:
        """Return logits [B,W/4,classes] for BGR [B,3,32,W], -1 to 1."""
        features = self.look(x)
        # Two rows are left; stacked as channels, they become one.
        features = paddle.concat([features[:, :, :1], features[:, :, 1:]], 1)
        features = self.along(self.join(features))
        return self.read(features.squeeze(2).transpose([0, 2, 1]))


class Deployed(Layer):  # type: ignore[misc]
    """The recognizer followed by a softmax, with a class for the space, which it never sees.

    PaddleOCR adds the space as the last class, after those of the dictionary.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.recognizer = recognizer

    def forward(self, x: Any) -> Any:
        """Return probabilities [B,W/4,classes + 1] for BGR [B,3,32,W], -1 to 1."""
        probabilities = functional.softmax(self.recognizer(x), 2)
        return paddle.concat([probabilities, paddle.zeros_like(probabilities[:, :, :1])], 2)


def lines_of(seed: int) -> list[Line]:
    """Return the names in the scene with this seed, and lines drawn on plain ground."""
    rng = np.random.default_rng(seed)
    return [*_painted(seed), *(_drawn(rng) for _ in range(_DRAWN))]


def _painted(seed: int) -> list[Line]:
    scene = scene_of(seed, _PIXELS)
    lines = []
    for thing in scene.things:
        name = thing.name
        if name is None or name.visible < _LEAST_SEEN:
            continue
        height = float(np.linalg.norm(name.quad[3] - name.quad[0]))
        if height < _LEAST_HEIGHT:
            continue
        low = np.maximum(np.floor(name.quad.min(0) - _REACH * height), 0).astype(int)
        high = np.ceil(name.quad.max(0) + _REACH * height).astype(int)
        part = scene.image[low[1] : high[1], low[0] : high[0]].copy()
        lines.append(Line(part, (name.quad - low).astype(np.float32), name.text))
    return lines


def _drawn(rng: np.random.Generator) -> Line:
    """Draw a name or random characters, turned a little, on ground of one colour."""
    if rng.random() < _NAMES_PART:
        text = str(rng.choice(NAMES))
    else:
        length = int(rng.integers(1, _LONGEST + 1))
        text = "".join(rng.choice(list(CHARACTERS), length))
    ground = rng.uniform(20, 245, 3)
    lighter = rng.random() < 1 - ground.mean() / 255
    ink = ground + (1 if lighter else -1) * rng.uniform(70, 200)
    red, green, blue = np.clip(ink + rng.normal(0, 25, 3), 0, 255).tolist()
    shape, lettering = letter(text, (0.0, 0.0), 1.0, (red, green, blue))
    height = float(np.exp(rng.uniform(np.log(_LEAST_HEIGHT), np.log(40))))
    turned = lettering.turned(float(rng.normal(0, 0.06)))
    turn = np.linalg.lstsq(lettering.quad, turned.quad, rcond=None)[0]
    extent = np.abs(turned.quad).max(0) + _REACH
    wide, high = np.ceil(2 * extent * height).astype(int).tolist()
    canvas = Canvas(np.full((high, wide, 3), ground, np.uint8), (0.0, 0.0, 0.0))
    place = Place(wide / 2 + float(rng.random()), high / 2 + float(rng.random()), height, 0.0)
    placed = type(shape)(tuple(outline @ turn for outline in shape.outlines), shape.colour)
    canvas.draw([placed], place, 1)
    return Line(canvas.image, place.pixels(turned.quad).astype(np.float32), text)


def train(scenes: int, plan: Plan) -> Recognizer:
    """Train the network and return it."""
    seed_all(6)
    rng = np.random.default_rng(6)
    pool = [line for lines in pooled(lines_of, scenes) for line in lines]
    network = Recognizer()

    def losses() -> dict[str, Any]:
        chosen = [pool[number] for number in rng.integers(len(pool), size=BATCH)]
        images = paddle.to_tensor(as_input([_shown(line, rng) for line in chosen]))
        numbers, lengths = encoded([line.text for line in chosen])
        logits = network(images).transpose([1, 0, 2])
        steps = paddle.full([BATCH], logits.shape[0], "int64")
        missed = functional.ctc_loss(
            logits, paddle.to_tensor(numbers), steps, paddle.to_tensor(lengths)
        )
        return {"ctc": missed}

    fit(network, losses, plan)
    return network


def _shown(line: Line, rng: np.random.Generator) -> Image:
    """Return the line as a detector might have cut it out, with the camera's noise."""
    quad = line.quad.astype(np.float64)
    height = np.linalg.norm(quad[3] - quad[0])
    along = (quad[1] - quad[0]) / np.linalg.norm(quad[1] - quad[0])
    down = (quad[3] - quad[0]) / height
    left, top, right, low = rng.uniform((-0.08, -0.06, -0.08, -0.06), (0.35, 0.3, 0.35, 0.3))
    quad += height * np.stack(
        [
            -left * along - top * down,
            right * along - top * down,
            right * along + low * down,
            -left * along + low * down,
        ]
    )
    quad += rng.normal(0, 0.03, quad.shape) * height
    image = lit(cut_out(line.image, quad.astype(np.float32)), rng)
    if rng.random() < 0.3:  # noqa: PLR2004
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.3, 0.8))), np.uint8)
    noise = rng.normal(0, rng.uniform(0, 8), image.shape[:2])[..., None]
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def cut_out(image: Image, quad: NDArray[np.float32]) -> Image:
    """Return the line within a quad, made horizontal, at the scale of its picture.

    Source: PaddleOCR, `tools/infer/utility.py` (`get_rotate_crop_image`).
    """
    lengths = np.linalg.norm(quad - np.roll(quad, -1, 0), axis=1)
    width, height = (max(1, int(lengths[side::2].max())) for side in (0, 1))
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad, upright)
    return np.asarray(
        cv2.warpPerspective(
            image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def as_input(lines: list[Image]) -> NDArray[np.float32]:
    """Return lines as the network wants them, [B,3,32,W]: scaled, and padded with 0 on the right.

    Source: PaddleOCR, `tools/infer/predict_rec.py` (`resize_norm_img`).
    """
    widths = [math.ceil(HEIGHT * line.shape[1] / line.shape[0]) for line in lines]
    batch = np.zeros((len(lines), 3, HEIGHT, max(WIDTH, *widths)), np.float32)
    for row, line, width in zip(batch, lines, widths, strict=True):
        scaled = cv2.resize(line, (width, HEIGHT)).astype(np.float32)
        row[:, :, :width] = (scaled / 255 - 0.5).transpose(2, 0, 1) / 0.5
    return batch


def export_recognizer(recognizer: Recognizer, directory: Path) -> None:
    """Write `inference.yml` and the graph, as PaddleOCR's `tools/export_model.py` does."""
    steps = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"RecResizeImg": {"image_shape": [3, HEIGHT, WIDTH]}},
    ]
    config = {
        "Global": {"model_name": directory.name},
        "PreProcess": {"transform_ops": steps},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": list(CHARACTERS)},
    }
    spec = image_spec("x", HEIGHT, None)
    export(Deployed(recognizer), directory, [spec], "inference.yml", config, "inference")
