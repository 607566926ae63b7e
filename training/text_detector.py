"""Trains the shipped text detector, which finds names on hulls."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyclipper
from numpy.typing import NDArray

from sample.scene import Name
from training.export import export, image_spec
from training.fit import Plan, fit, seed_all
from training.layers import Layer, PerPixel, functional
from training.pool import MEAN, STD, normalized, pooled, scene_of
from training.view import Image, lit, view_of
from worker.engines.paddle.vendor import paddle

Floats = NDArray[np.float32]

SHRINK = 0.6
"""DB's shrink ratio; more than its own 0.4, as the sample world's lines are thin."""

_STEPS = 256  # per pixel: Clipper knows whole numbers only
_FRACTION_BITS = 4


def shrunk(quad: Floats, ratio: float = SHRINK) -> Floats:
    """Return the outline [N,2] inside a quad [4,2], area * (1 - ratio^2) / circumference from it.

    Source: Liao 2020, "Real-time scene text detection with differentiable binarization". It is
    [0,2] if nothing is left.
    """
    distance = cv2.contourArea(quad) * (1 - ratio**2) / max(cv2.arcLength(quad, closed=True), 1)
    offset = pyclipper.PyclipperOffset()
    path = np.rint(quad * _STEPS).astype(int).tolist()
    offset.AddPath(path, pyclipper.JT_MITER, pyclipper.ET_CLOSEDPOLYGON)
    outlines = offset.Execute(-_STEPS * distance)
    points = np.array(outlines[0] if outlines else np.zeros((0, 2)), np.float32)
    return points / np.float32(_STEPS)


def targets(
    read: Sequence[Floats], ignored: Sequence[Floats], size: tuple[int, int], stride: int
) -> tuple[Floats, Floats]:
    """Return the map [h,w] of quads, 1 inside their shrunk outlines, and its cells' weights [h,w].

    `size` (width, height) and the quads are in pixels; a cell covers `stride` x `stride`. Cells
    inside `ignored` quads have no weight.
    """
    shape = (size[1] // stride, size[0] // stride)
    wanted, weights = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    for quad in ignored:
        _fill(weights, quad / np.float32(stride), 0.0)
    for quad in read:
        outline = shrunk(quad)
        if len(outline):
            _fill(weights, quad / np.float32(stride), 1.0)
            _fill(wanted, outline / np.float32(stride), 1.0)
    return wanted, weights


def _fill(target: Floats, outline: Floats, value: float) -> None:
    # Cell centres are whole numbers in OpenCV, and halves in the outline.
    points = np.rint((outline - 0.5) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(target, [points], (value,), cv2.LINE_8, _FRACTION_BITS)


LONGEST = 1280
"""The pixels to which the long side of a larger picture is scaled down."""

READABLE_HEIGHT, READABLE_PART = 8.0, 0.9
"""Names with smaller letters (input pixels) or a smaller visible share don't count at all."""

BATCH = 8

_SIDE = 224
_ROOM = 352  # the side of a stored picture: a window of `_SIDE` is cut from it
_PIXELS = 1_100_000  # per scene: about what is left of a large picture
_WIDTHS = (8, 16, 24, 40, 48)
_NECK, _FINE = 24, 12
_STRIDE = 2
_HARD = 3  # counted cells without text, for each cell with text
_LEAST_HARD = 500
_SMOOTH = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A picture [H,W,3] and the names in it as quads [4,2]: those to read, and the others."""

    image: Image
    read: tuple[NDArray[np.float32], ...]
    ignored: tuple[NDArray[np.float32], ...]


class Deployed(Layer):  # type: ignore[misc]
    """The network followed by scaling up and a sigmoid: a probability for each pixel."""

    def __init__(self, network: PerPixel) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Any) -> Any:
        """Return probabilities [B,1,H,W] for normalized BGR [B,3,H,W] (multiples of 32)."""
        logits = functional.interpolate(self.network(x), scale_factor=2, mode="bilinear")
        return functional.sigmoid(logits)


def is_readable(name: Name, scale: float = 1.0) -> bool:
    """Return whether a name should be found in a picture scaled by `scale`."""
    height = float(np.linalg.norm(name.quad[3] - name.quad[0])) * scale
    return height >= READABLE_HEIGHT and name.visible >= READABLE_PART


def pages_of(seed: int) -> list[Page]:
    """Return parts of the scene with this seed: one around each name, and a random one."""
    rng = np.random.default_rng(seed)
    scene = scene_of(seed, _PIXELS)
    names = [thing.name for thing in scene.things if thing.name is not None]
    height, width = scene.image.shape[:2]
    middles = [name.quad.mean(0) for name in names if is_readable(name)]
    middles.append(rng.uniform((0, 0), (width, height)))
    pages = []
    for middle in middles:
        x, y = (middle - _ROOM / 2 + rng.uniform(-60, 60, 2)).astype(int).tolist()
        left, top = np.clip([x, y], 0, (width - _ROOM, height - _ROOM)).tolist()
        corner = np.array([left, top], np.float32)
        pages.append(
            Page(
                scene.image[top : top + _ROOM, left : left + _ROOM].copy(),
                tuple(name.quad - corner for name in names if is_readable(name)),
                tuple(name.quad - corner for name in names if not is_readable(name)),
            )
        )
    return pages


def train(scenes: int, plan: Plan) -> PerPixel:
    """Train the network and return it."""
    seed_all(5)
    rng = np.random.default_rng(5)
    pool = [page for pages in pooled(pages_of, scenes) for page in pages]
    network = PerPixel(_WIDTHS, _NECK, _FINE, 1)

    def losses() -> dict[str, Any]:
        chosen = [_shown(pool[number], rng) for number in rng.integers(len(pool), size=BATCH)]
        # Not converted to RGB: the official text detectors read BGR.
        images = normalized([page.image[..., ::-1] for page in chosen])
        maps = [targets(page.read, page.ignored, (_SIDE, _SIDE), _STRIDE) for page in chosen]
        wanted, weights = (paddle.to_tensor(np.stack(arrays)) for arrays in zip(*maps, strict=True))
        logits = network(paddle.to_tensor(images)).squeeze(1)
        return {
            "entropy": _hard_entropy(logits, wanted, weights),
            "overlap": _missed_overlap(functional.sigmoid(logits) * weights, wanted * weights),
        }

    fit(network, losses, plan)
    return network


def _shown(page: Page, rng: np.random.Generator) -> Page:
    side = min(_ROOM, _SIDE * float(np.exp(rng.uniform(-0.35, 0.35))))
    left, top = rng.uniform(0, _ROOM - side, 2).tolist()
    angle = float(rng.normal(0, 0.06))
    view = view_of((left, top, left + side, top + side), (_SIDE, _SIDE), angle=angle)
    read, ignored = (tuple(map(view.points, quads)) for quads in (page.read, page.ignored))
    return Page(lit(view.image(page.image), rng), read, ignored)


def _hard_entropy(logits: Any, wanted: Any, weights: Any) -> Any:
    """Return the cross entropy of all text cells and the hardest others (Shrivastava 2016)."""
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    text, rest = wanted * weights, (1 - wanted) * weights
    count = int(text.sum())
    hardest = min(max(_HARD * count, _LEAST_HARD), int(rest.sum()))
    hard = paddle.topk((entropy * rest).flatten(), hardest)[0].sum()
    return ((entropy * text).sum() + hard) / (count + hardest)


def _missed_overlap(guess: Any, wanted: Any) -> Any:
    """Return 1 - soft Dice coefficient (Milletari 2016)."""
    shared = (guess * wanted).sum()
    return 1 - (2 * shared + _SMOOTH) / (guess.sum() + wanted.sum() + _SMOOTH)


def export_text_detector(network: PerPixel, directory: Path) -> None:
    """Write `inference.yml` and the graph, as PaddleOCR's `tools/export_model.py` does."""
    normalize = {"mean": list(MEAN), "order": "hwc", "scale": "1./255.", "std": list(STD)}
    steps = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"DetResizeForTest": {"limit_side_len": LONGEST, "limit_type": "max"}},
        {"NormalizeImage": normalize},
        {"ToCHWImage": None},
    ]
    config = {
        "Global": {"model_name": directory.name},
        "PreProcess": {"transform_ops": steps},
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": 0.4,
            "box_thresh": 0.6,
            "max_candidates": 1000,
            "unclip_ratio": 0.9,
        },
    }
    spec = image_spec("x", None, None)
    export(Deployed(network), directory, [spec], "inference.yml", config, "inference")
