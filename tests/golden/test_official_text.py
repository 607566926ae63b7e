"""Text, against PaddleOCR's steps written out one by one, on real models and rendered lines.

The models are in REGATTA_REFERENCE's `models/`. The steps are those of PaddleOCR's
`ppocr/postprocess/db_postprocess.py`, `rec_postprocess.py`, `tools/infer/predict_det.py`,
`predict_cls.py`, `predict_rec.py` and `utility.py`, as far as they differ from calls of cv2.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle.inference as paddle_infer
import pyclipper
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vision.exports.export import read_export
from vision.ops.preprocess import Preprocessor
from vision.ops.text_line import crop_line, upright
from vision.outputs.ctc import LineText, decode_lines
from vision.outputs.db_settings import DbSettings
from vision.outputs.text_regions import TextRegions, find_regions
from vision.read.picture import read_picture

REFERENCE = Path(os.environ["REGATTA_REFERENCE"])
PHOTOS = sorted((REFERENCE / "media/photos").glob("*.jpg"))
FONT = Path(__file__).parents[2] / "vision/fonts/DejaVuSansCondensed-Bold.ttf"
LINES = [
    "Regatta reads lines of text",
    "jumps over 13 lazy dogs",
    "HARBOUR OPEN",
    "seven boats return safely",
    "Departure 14:25",
    "Sunday morning",
    "thunder and rain",
]

# This recognizer drops some of the spaces in these, and so does PaddleOCR, which reads them alike.
SPACED = [
    "due by 31 December",
    "Thank you for your order",
    "The total of 1,250.00 EUR is",
    "Harbour Road 12, North Quay",
]

Pixels = NDArray[np.uint8]


class Graph:
    """An export's graph on one thread, and what its own YAML says."""

    def __init__(self, name: str) -> None:
        self.export = read_export(REFERENCE / "models" / name)
        self.prepare = Preprocessor(self.export.ops)
        config = paddle_infer.Config(str(self.export.model_file), str(self.export.params_file))
        config.disable_gpu()
        config.disable_glog_info()
        config.disable_mkldnn()  # on unless told otherwise, and some of its kernels are wrong
        config.set_cpu_math_library_num_threads(1)
        assert not config.mkldnn_enabled()
        self._vendor = paddle_infer.create_predictor(config)

    def run(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        [name] = self._vendor.get_input_names()
        self._vendor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(batch))
        self._vendor.run()
        output: NDArray[Any] = self._vendor.get_output_handle(
            self._vendor.get_output_names()[0]
        ).copy_to_cpu()
        return output


@pytest.fixture(scope="module")
def detector() -> Graph:
    return Graph("ppocr_v3_en_det")


@pytest.fixture(scope="module")
def recognizer() -> Graph:
    return Graph("ppocr_en_rec")


@pytest.fixture(scope="module")
def orientation() -> Graph:
    return Graph("ppocr_v2_textline_orientation")


# What Regatta does.


def regions_of(detector: Graph, image: Pixels) -> TextRegions:
    probability = detector.run(detector.prepare(image).image[None])[0, 0]
    return find_regions(probability, image.shape[:2], DbSettings.of(detector.export.config))


def read_line(recognizer: Graph, line: Pixels) -> LineText:
    probabilities = recognizer.run(recognizer.prepare(line).image[None])
    assert probabilities.shape[2] == len(recognizer.export.labels)
    [text] = decode_lines(probabilities, recognizer.export.labels)
    return text


def official_lines(
    detector: Graph, orientation: Graph, recognizer: Graph, image: Pixels
) -> list[LineText]:
    texts = []
    for quad in regions_of(detector, image).quads:
        line = crop_line(image, quad)
        scores = orientation.run(orientation.prepare(line).image[None])[0]
        label = orientation.export.labels[int(scores.argmax())]
        texts.append(read_line(recognizer, upright(line, label, float(scores.max()))))
    return texts


# What PaddleOCR does, step by step.


def official_quads(detector: Graph, image: Pixels) -> tuple[NDArray[np.float32], list[float]]:
    height, width = image.shape[:2]
    ratio = 960 / max(height, width) if max(height, width) > 960 else 1.0
    resized = cv2.resize(
        image,
        (
            max(round(int(width * ratio) / 32) * 32, 32),
            max(round(int(height * ratio) / 32) * 32, 32),
        ),
    )
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    normal = (resized.astype("float32") * np.float32(1 / 255.0) - mean) / std
    pred = detector.run(normal.transpose(2, 0, 1)[None])[0, 0]
    bitmap = (pred > 0.3).astype(np.uint8) * 255
    boxes, scores = [], []
    contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours[:1000]:
        points, side = mini_box(contour)
        if side < 3:
            continue
        score = score_fast(pred, points)
        if score < 0.6:
            continue
        area = abs(
            sum(
                points[n][0] * points[(n + 1) % 4][1] - points[(n + 1) % 4][0] * points[n][1]
                for n in range(4)
            )
            / 2
        )
        length = sum(math.dist(points[n], points[(n + 1) % 4]) for n in range(4))
        offset = pyclipper.PyclipperOffset()
        offset.AddPath(points, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        box, side = mini_box(np.array(offset.Execute(area * 1.5 / length)).reshape(-1, 1, 2))
        if side < 5:
            continue
        box[:, 0] = np.clip(np.round(box[:, 0] / pred.shape[1] * width), 0, width)
        box[:, 1] = np.clip(np.round(box[:, 1] / pred.shape[0] * height), 0, height)
        box = clockwise(box.astype(np.int16))
        for point in box:
            point[0] = int(min(max(point[0], 0), width - 1))
            point[1] = int(min(max(point[1], 0), height - 1))
        if int(np.linalg.norm(box[0] - box[1])) <= 3 or int(np.linalg.norm(box[0] - box[3])) <= 3:
            continue
        boxes.append(box)
        scores.append(score)
    ranked = sorted(zip(boxes, scores, strict=True), key=lambda one: (one[0][0][1], one[0][0][0]))
    for i in range(len(ranked) - 1):
        for j in range(i, -1, -1):
            (after, _), (before, _) = ranked[j + 1], ranked[j]
            if abs(after[0][1] - before[0][1]) < 10 and after[0][0] < before[0][0]:
                ranked[j], ranked[j + 1] = ranked[j + 1], ranked[j]
            else:
                break
    quads = np.array([box for box, _ in ranked], np.float32).reshape(-1, 4, 2)
    return quads, [score for _, score in ranked]


def mini_box(contour: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    rectangle = cv2.minAreaRect(contour)
    points = sorted(cv2.boxPoints(rectangle), key=lambda point: point[0])
    first, fourth = (0, 1) if points[1][1] > points[0][1] else (1, 0)
    second, third = (2, 3) if points[3][1] > points[2][1] else (3, 2)
    return np.array([points[n] for n in (first, second, third, fourth)]), min(rectangle[1])


def score_fast(pred: NDArray[np.float32], points: NDArray[np.float32]) -> float:
    height, width = pred.shape
    left = min(max(math.floor(points[:, 0].min()), 0), width - 1)
    right = min(max(math.ceil(points[:, 0].max()), 0), width - 1)
    top = min(max(math.floor(points[:, 1].min()), 0), height - 1)
    bottom = min(max(math.ceil(points[:, 1].max()), 0), height - 1)
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    shifted = points.copy()
    shifted[:, 0] -= left
    shifted[:, 1] -= top
    cv2.fillPoly(mask, shifted.reshape(1, -1, 2).astype(np.int32), 1)
    return float(pred[top : bottom + 1, left : right + 1][mask == 1].mean())


def clockwise(points: NDArray[Any]) -> NDArray[np.float32]:
    by_x = points[np.argsort(points[:, 0]), :]
    left, right = by_x[:2], by_x[2:]
    upper_left, lower_left = left[np.argsort(left[:, 1]), :]
    upper_right, lower_right = right[np.argsort(right[:, 1]), :]
    return np.array([upper_left, upper_right, lower_right, lower_left], np.float32)


def official_crop(image: Pixels, points: NDArray[np.float32]) -> Pixels:
    width = int(max(np.linalg.norm(points[0] - points[1]), np.linalg.norm(points[2] - points[3])))
    height = int(max(np.linalg.norm(points[0] - points[3]), np.linalg.norm(points[1] - points[2])))
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    crop = cv2.warpPerspective(
        image,
        cv2.getPerspectiveTransform(points, corners),
        (width, height),
        borderMode=cv2.BORDER_REPLICATE,
        flags=cv2.INTER_CUBIC,
    )
    return np.rot90(crop) if crop.shape[0] / crop.shape[1] >= 1.5 else crop


def official_text(
    recognizer: Graph, lines: Sequence[Pixels], widest: float = 0.0
) -> list[tuple[str, float]]:
    """The texts of lines that are read in one batch, beside one whose aspect is `widest`."""
    letters = yaml.safe_load(recognizer.export.config_file.read_text())["PostProcess"]
    characters = ["blank", *letters["character_dict"], " "]
    widest = max(320 / 32, widest, *(line.shape[1] / line.shape[0] for line in lines))
    batch = np.zeros((len(lines), 3, 32, int(32 * widest)), np.float32)
    for row, line in zip(batch, lines, strict=True):
        width = min(math.ceil(32 * (line.shape[1] / line.shape[0])), row.shape[2])
        resized = cv2.resize(line, (width, 32)).astype("float32")
        row[:, :, :width] = (resized.transpose(2, 0, 1) / 255 - 0.5) / 0.5
    texts = []
    for steps in recognizer.run(batch):
        text, kept, last = "", [], 0
        for step in steps:
            best = int(step.argmax())
            if best not in (0, last):
                text += characters[best]
                kept.append(float(step[best]))
            last = best
        texts.append((text, sum(kept) / len(kept) if kept else 0.0))
    return texts


# Pictures whose text is known.


def page(lines: Sequence[str], font_px: int, angle: float = 0.0) -> Pixels:
    """Black text on grey paper, blue first, turned by an angle in degrees."""
    font = ImageFont.truetype(str(FONT), font_px)
    width = int(max(font.getlength(line) for line in lines)) + 6 * font_px
    paper = Image.new("RGB", (width, (2 * len(lines) + 4) * font_px), (205, 210, 215))
    draw = ImageDraw.Draw(paper)
    for row, line in enumerate(lines):
        draw.text((3 * font_px, (2 * row + 2) * font_px), line, fill=(15, 20, 30), font=font)
    turned = paper.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=(205, 210, 215))
    return np.ascontiguousarray(np.asarray(turned)[:, :, ::-1])


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_quads_on_photos_are_those_of_paddleocr(detector: Graph, photo: Path) -> None:
    image = read_picture(photo.read_bytes(), max_pixels=10**9).pixels
    regions = regions_of(detector, image)
    quads, scores = official_quads(detector, image)
    assert regions.quads.shape == quads.shape
    assert regions.quads == pytest.approx(quads, abs=1)
    assert regions.scores == pytest.approx(np.array(scores), abs=0.01)


@pytest.mark.parametrize("angle", [0, 5, 90, 30])
def test_quads_and_lines_of_a_page_are_those_of_paddleocr(detector: Graph, angle: float) -> None:
    image = page(LINES, 40, angle)
    regions = regions_of(detector, image)
    quads, scores = official_quads(detector, image)
    assert len(regions) >= 4
    assert regions.quads.shape == quads.shape
    assert regions.quads == pytest.approx(quads, abs=1)
    assert regions.scores == pytest.approx(np.array(scores), abs=0.01)
    for quad in quads:
        assert np.array_equal(crop_line(image, quad), official_crop(image, quad))


@pytest.mark.parametrize(
    ("written", "font_px"), [(LINES, 24), (LINES, 44), (SPACED, 18), (SPACED, 28), (SPACED, 40)]
)
def test_a_line_reads_as_in_a_batch_as_wide_as_its_own_bucket(
    detector: Graph, recognizer: Graph, written: list[str], font_px: int
) -> None:
    image = page(written, font_px)
    lines = [crop_line(image, quad) for quad in regions_of(detector, image).quads]
    assert len(lines) == len(written)
    for line in lines:
        bucket = recognizer.prepare(line).image.shape[2]
        [(text, score)] = official_text(recognizer, [line], bucket / 32)
        found = read_line(recognizer, line)
        assert found.text == text
        assert found.score == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(("font_px", "angle"), [(24, 0), (60, 0), (36, 6), (36, 90), (48, 270)])
def test_rendered_lines_are_read(
    detector: Graph, orientation: Graph, recognizer: Graph, font_px: int, angle: float
) -> None:
    texts = official_lines(detector, orientation, recognizer, page(LINES, font_px, angle))
    assert sorted(text.text for text in texts) == sorted(LINES)
    if angle == 0:
        assert [text.text for text in texts] == LINES
    assert all(text.score > 0.9 for text in texts)


def test_lines_that_are_upside_down_are_read(
    detector: Graph, orientation: Graph, recognizer: Graph
) -> None:
    image = page(LINES, 36, 180)
    texts = [one.text for one in official_lines(detector, orientation, recognizer, image)]
    # This recognizer loses some of the spaces of lines that are cut close on their left.
    assert [text.replace(" ", "") for text in texts[::-1]] == [
        line.replace(" ", "") for line in LINES
    ]


@pytest.mark.parametrize(
    ("photo", "texts"),
    [("000000087038.jpg", {"HOSTAGES", "BABY"}), ("car.jpg", {"DR 68651"})],
)
def test_signs_in_photos_are_read(
    detector: Graph, orientation: Graph, recognizer: Graph, photo: str, texts: set[str]
) -> None:
    image = read_picture((REFERENCE / "media/photos" / photo).read_bytes(), max_pixels=10**9).pixels
    found = official_lines(detector, orientation, recognizer, image)
    assert {one.text for one in found if one.score > 0.9} == texts
