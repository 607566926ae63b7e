"""What an export is shown, and what its outputs say: for comparing engines by answers.

Trained models look at photos, the shipped ones at scenes of the sample world. An answer is made of
named arrays, see `said`; `apart` says by how much two of them differ.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.options import JobOptions
from sample.world import new_world
from vision.exports.exported import ExportedModel
from vision.ops.keypoint import TopDownEvalAffine
from vision.ops.person_crop import person_crop
from vision.ops.preprocess import Prepared
from vision.ops.text_line import crop_line
from vision.read.picture import read_picture
from vision.rectangle import Rectangle
from worker.networks.by_task import network_of

OPTIONS = JobOptions.of(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90)
THRESHOLD, MARGIN = 0.3, 0.01
FONT = Path(__file__).parents[2] / "vision/fonts/DejaVuSansCondensed-Bold.ttf"
_MOST = 100  # rows of detectors whose weights are random, and which find something everywhere
_COLUMNS = 6  # class, score, box
_TEXTS = ("Regatta reads lines of text", "HARBOUR OPEN", "Departure 14:25")

Pixels = NDArray[np.uint8]
Said = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Picture:
    """An upright picture, `boxes` [N,4] around people in it, and lines of text, cut out."""

    image: Pixels
    boxes: Sequence[Sequence[float]]
    lines: Sequence[Pixels]


@dataclass(frozen=True)
class Look:
    """One batch of one: what the network is fed, and what of which picture that is."""

    prepared: Prepared
    size_wh: tuple[int, int]
    crop: Rectangle | None = None


def photos(reference: Path, names: Sequence[str] = ()) -> list[Picture]:
    """Photos of REGATTA_REFERENCE, all of them if none are named."""
    known = json.loads((reference / "expected/tinypose_256x192.photos.json").read_text())
    folder = reference / "media/photos"
    lines = [_line(text) for text in _TEXTS]
    pictures = []
    for path in [folder / name for name in names] or sorted(folder.glob("*.jpg")):
        image = read_picture(path.read_bytes(), max_pixels=10**9).pixels
        people = [person["rect"] for person in known.get(path.name, ())]
        pictures.append(Picture(image, people, lines))
        lines = []
    return pictures


def scenes(count: int) -> list[Picture]:
    """Scenes of the sample world."""
    pictures = []
    for seed in range(count):
        scene = new_world(seed, (640, 480)).scene()
        people = [thing.box for thing in scene.things if thing.joints is not None]
        names = [thing.name for thing in scene.things if thing.name is not None]
        lines = [crop_line(scene.image, name.quad) for name in names if name.visible == 1]
        pictures.append(Picture(scene.image, people, lines))
    return pictures


def _line(text: str) -> Pixels:
    font = ImageFont.truetype(str(FONT), 32)
    paper = Image.new("RGB", (int(font.getlength(text)) + 16, 48), (205, 210, 215))
    ImageDraw.Draw(paper).text((8, 4), text, fill=(15, 20, 30), font=font)
    return np.ascontiguousarray(np.asarray(paper)[:, :, ::-1])


class Looker:
    """A network, and the pictures it is shown."""

    def __init__(self, export: ExportedModel) -> None:
        self.export = export
        self.network: Any = network_of(export)
        self._affine = export.ops[0] if export.ops else None

    def looks(self, pictures: Sequence[Picture]) -> list[Look]:
        """What the network is fed for pictures: all of each, the people or the lines in it."""
        looks = []
        for picture in pictures:
            if isinstance(self._affine, TopDownEvalAffine):
                looks += self._people(picture)
            elif self._reads_lines():
                looks += [self._look(line) for line in picture.lines]
            else:
                looks.append(self._look(picture.image))
        return looks

    def _people(self, picture: Picture) -> list[Look]:
        image = picture.image
        crops = [person_crop(box, image.shape[:2]) for box in picture.boxes]
        return [
            replace(self._look(image[crop.y1 : crop.y2, crop.x1 : crop.x2]), crop=crop)
            for crop in crops
            if crop is not None
        ]

    def _look(self, image: Pixels) -> Look:
        return Look(self.network.prepare(image), (image.shape[1], image.shape[0]))

    def _reads_lines(self) -> bool:
        return self.export.task == "text_rec" or self.export.labels[:1] in {("0",), ("0_degree",)}

    def said(self, outputs: Sequence[NDArray[Any]], look: Look) -> Said:
        """The answer, as arrays: see the functions of the single tasks."""
        [output] = self.network.split(outputs, [look.prepared], 1)
        if look.crop is not None:
            return self._points(output, look.crop)
        answer = getattr(self, f"_{self.export.task}")
        said: Said = answer(output, look)
        return said

    def _points(self, output: Any, crop: Rectangle) -> Said:
        """In pixels of what the network sees, however large the crop was."""
        assert isinstance(self._affine, TopDownEvalAffine)
        points = self.network.keypoints([output], [crop])[0]
        scale = (crop.x2 - crop.x1) / self._affine.trainsize[0]
        return {"points": points[:, :2] / scale, "point scores": points[:, 2]}

    def _keypoint(self, output: Any, look: Look) -> Said:
        found = self.network.read(output, look.size_wh, OPTIONS).detections
        people = np.empty((0, 17, 3)) if found.keypoints is None else found.keypoints
        return {
            "people": np.concatenate([found.scores[:, None], people.reshape(len(people), -1)], 1)
        }

    def _detect(self, output: Any, look: Look) -> Said:
        """Rows (class, score, box) above a threshold, and a little below it."""
        options = OPTIONS.but(threshold=0.0)
        scores = np.sort(self.network.found(output, options).scores)[::-1]
        limit = max(THRESHOLD, float(scores[_MOST])) if len(scores) > _MOST else THRESHOLD
        found = self.network.found(output, OPTIONS.but(threshold=limit - MARGIN))
        rows = np.concatenate([found.class_ids[:, None], found.scores[:, None], found.xyxy], 1)
        said = {"rows": rows, "limit": np.array(limit)}
        if found.masks is not None:
            said["masks"] = np.array([mask.decode() for mask in found.masks], np.bool_)
        return said

    def _segment(self, output: Any, look: Look) -> Said:
        return {"labels": self.network.read(output, look.size_wh, OPTIONS).mask}

    def _matting(self, output: Any, look: Look) -> Said:
        return {"alpha": self.network.read(output, look.size_wh, OPTIONS).mask}

    def _classify(self, output: Any, look: Look) -> Said:
        classes = self.network.read(output, look.size_wh, OPTIONS).classes
        return {
            "classes": np.array([one.class_id for one in classes]),
            "scores": np.array([one.score for one in classes]),
        }

    def _text_det(self, output: Any, look: Look) -> Said:
        found = self.network.regions(output, look.size_wh[::-1])
        return {"quads": found.quads, "quad scores": found.scores}

    def _text_rec(self, output: Any, _: Look) -> Said:
        return {"text": np.array(output.text), "text score": np.array(output.score)}


LIMITS = {
    "points": 1.0,  # pixels
    "point scores": 1e-3,
    "people": 0.01,  # shares of those without a twin
    "rows": 0.01,
    "mask pixels": 0.001,
    "labels": 0.001,  # share of pixels
    "alpha": 0.001,
    "classes": 0.0,
    "scores": 1e-3,
    "quads": 1.0,
    "quad scores": 0.01,
    "text": 0.0,
    "text score": 1e-3,
}
"""How far two engines' answers may be apart, by what `apart` names."""


def apart(one: Said, other: Said) -> dict[str, float]:
    """How far two answers to one look are apart, in the units of `LIMITS`; inf if in kind."""
    if "rows" in one:
        return _rows_apart(one, other)
    if "people" in one:
        return {"people": _without_twin(one["people"], other["people"], _same_person)}
    distances = {}
    for name, mine in one.items():
        theirs = other[name]
        if mine.shape != theirs.shape:
            distances[name] = np.inf
        elif name in {"labels", "text", "classes"}:
            distances[name] = float(np.mean(mine != theirs))
        elif name == "alpha":
            distances[name] = float(np.mean(np.abs(mine.astype(int) - theirs) > 1))
        else:
            distances[name] = float(np.abs(mine - theirs).max(initial=0.0))
    return distances


def _rows_apart(one: Said, other: Said) -> dict[str, float]:
    limit = max(one["limit"], other["limit"]) + MARGIN
    pairs = [(one, other), (other, one)]
    lost = [
        _without_twin(a["rows"], b["rows"], _same_row, a["rows"][:, 1] > limit) for a, b in pairs
    ]
    distances = {"rows": max(lost)}
    if "masks" in one:
        distances["mask pixels"] = max(
            (
                np.mean(mask != other["masks"][twins[0]])
                for row, mask in zip(one["rows"], one["masks"], strict=True)
                if (twins := np.flatnonzero(_same_row(row, other["rows"]))).size
            ),
            default=0.0,
        )
    return distances


def _without_twin(
    mine: NDArray[Any], theirs: NDArray[Any], same: Any, counted: NDArray[np.bool_] | None = None
) -> float:
    """The share of rows that are nowhere in the other rows, each of which can answer once."""
    counted = np.ones(len(mine), np.bool_) if counted is None else counted
    free = np.ones(len(theirs), np.bool_)
    lost = 0
    for row in mine[counted]:
        twins = np.flatnonzero(same(row, theirs) & free)
        lost += not twins.size
        free[twins[:1]] = False
    return lost / max(1, int(counted.sum()))


def _same_row(row: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.bool_]:
    near = (np.abs(rows[:, 1] - row[1]) <= MARGIN) & (np.abs(rows[:, 2:] - row[2:]).max(1) <= 1)
    return np.asarray((rows[:, 0] == row[0]) & near)


def _same_person(person: NDArray[Any], people: NDArray[Any]) -> NDArray[np.bool_]:
    points = np.abs(people[:, 1:] - person[1:]).reshape(len(people), -1, 3)
    scores = np.abs(people[:, 0] - person[0])
    near = (points[..., :2].max((1, 2)) <= 1) & (points[..., 2].max(1) <= MARGIN)
    return np.asarray((scores <= MARGIN) & near)


def largest_difference(one: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> float | None:
    """Of raw outputs that are as large on both sides and no classes; None if there are none.

    Rows of detections come in an order that ties decide: they are compared with their twins, and
    `apart` counts those that have none.
    """
    compared = []
    for mine, theirs in zip(one, other, strict=True):
        if mine.ndim == 2 and mine.shape[1] == _COLUMNS:
            compared += [
                float(np.abs(theirs[twins] - row).max(1).min())
                for row in mine
                if (twins := _same_row(row, theirs)).any()
            ]
        elif mine.shape == theirs.shape and mine.dtype.kind == "f":
            compared.append(float(np.abs(mine - theirs).max(initial=0.0)))
    return max(compared, default=None)
