"""How good the shipped text models are: finding names on hulls, and reading them."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from sample.dataset import Dataset
from sample.scene import Name
from sample.score_names import name_agreement, quad_iou
from sample.shipped import MODELS
from training.held_out import Graph, composed, held_out, results
from training.measured import Measured
from training.text_detector import LONGEST, is_readable
from training.view import Image
from vision.exports.export import read_export
from vision.ops.preprocess import Preprocessor
from vision.ops.text_line import crop_line
from vision.read.ctc import decode_lines
from vision.read.db_settings import DbSettings
from vision.read.text_regions import find_regions

_LEAST_OVERLAP = 0.5


def measure_finding(model: Path, scenes: int, folder: Path) -> Measured:
    """How many names of held-out scenes are found, and how many finds are names (at IoU 0.5)."""
    export, graph = read_export(model), Graph(model)
    prepare, settings = Preprocessor(export.ops), DbSettings.of(export.config)
    things = hits = found = 0
    for image, names in _pictures(held_out(scenes, folder)):
        height, width = image.shape[:2]
        scale = min(1.0, LONGEST / max(height, width))
        read = [name.quad for name in names if is_readable(name, scale)]
        others = [name.quad for name in names if not is_readable(name, scale)]
        things += len(read)
        probability = graph(prepare(image).image[None])[0, 0]
        for quad in find_regions(probability, (height, width), settings).quads:
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
    """How much of the names of held-out scenes is read right.

    It is shown the names where the truth has them, and then, by `regatta run`, what the shipped
    detector takes for names.
    """
    export, graph = read_export(model), Graph(model)
    prepare = Preprocessor(export.ops)
    characters = wrong = lines = exact = 0
    dataset = held_out(scenes, folder)
    for image, names in _pictures(dataset):
        for name in filter(is_readable, names):
            line = prepare(crop_line(image, name.quad)).image
            [read] = decode_lines(graph(line[None]), export.labels)
            distance = edits(name.text, read.text)
            characters, wrong = characters + len(name.text), wrong + distance
            lines, exact = lines + 1, exact + (distance == 0)
    parts = {"text_det": MODELS["text_det"].directory, "text_rec": model}
    run = name_agreement(
        json.loads(dataset.truth.read_text()),
        results(dataset, composed("ocr", parts, folder), folder),
    )
    return Measured(
        scenes,
        {
            "characters right": 1 - wrong / max(1, characters),
            "names right": exact / max(1, lines),
            "names right with the detector": run.read / max(1, run.names),
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


def _pictures(dataset: Dataset) -> Iterator[tuple[Image, list[Name]]]:
    """The pictures and the names in each."""
    truth = json.loads(dataset.truth.read_text())
    names = defaultdict(list)
    for thing in truth["annotations"]:
        if "name" in thing:
            text, quad, visible = (thing["name"][key] for key in ("text", "quad", "visible"))
            names[thing["image_id"]].append(Name(text, np.array(quad, np.float32), visible))
    for record in truth["images"]:
        image = cv2.imread(str(dataset.folder / record["file_name"]))
        yield np.asarray(image, np.uint8), names[record["id"]]
