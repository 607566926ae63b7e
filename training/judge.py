"""Measures how good the shipped models are, each by its field's usual metric."""

import contextlib
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sample.dataset import Dataset
from sample.labels import LABELS, ROWER, SEGMENTS
from sample.scene import Name
from sample.score import class_ious, confusion, joint_similarity, name_agreement, quad_iou
from sample.shipped import DETECTOR, MODELS
from training import view
from training.crop import Crop, official_crop
from training.fit import Measured
from training.held_out import Graph, composed, held_out, results
from training.pool import normalized
from training.pose import SIZE, STRIDE
from training.text_detector import LONGEST, is_readable
from vision.exports.export import read_export
from vision.ops.preprocess import Preprocessor
from vision.ops.text_line import crop_line
from vision.outputs.ctc import decode_lines
from vision.outputs.db_settings import DbSettings
from vision.outputs.text_regions import find_regions

_THRESHOLD = 0.02  # average precision needs the doubtful detections as well
_HALF = 0  # the index of the overlap 0.5 among COCO's
_WHOLE_AREA, _MOST_FINDS = 0, -1


def measure_boxes(model: Path, scenes: int, folder: Path) -> Measured:
    """Run an exported detector over held-out scenes, drawn into `folder`, and compare."""
    dataset = held_out(scenes, folder)
    truth = json.loads(dataset.truth.read_text())
    rows = results(dataset, model, folder, ["--threshold", str(_THRESHOLD)])
    # [overlaps, recalls, classes, areas, numbers of detections]; -1 if there is nothing to find
    precision = precisions(truth, _boxes_of(truth, rows), "bbox")[..., _WHOLE_AREA, _MOST_FINDS]
    labels = [category["name"] for category in truth["categories"]]
    return Measured(
        scenes,
        {"AP50": float(precision[_HALF].mean()), "AP": float(precision.mean())},
        "AP50",
        dict(zip(labels, precision[_HALF].mean(0).tolist(), strict=True)),
    )


def precisions(truth: Mapping[str, Any], detections: Iterable[Mapping[str, Any]], kind: str) -> Any:
    """Return COCO's precisions [overlaps, recalls, classes, areas, counts] for `bbox` or so."""
    with contextlib.redirect_stdout(io.StringIO()):  # COCO's code prints
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(list(detections)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])


def _boxes_of(
    truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield result rows as COCO boxes."""
    numbers = {image["file_name"]: image["id"] for image in truth["images"]}
    for row in rows:
        for detection in row["detections"]:
            x1, y1, x2, y2 = detection["box"]
            yield {
                "image_id": numbers[row["item"]],
                "category_id": detection["class_id"] + 1,
                "score": detection["score"],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
            }


def measure_classes(model: Path, scenes: int, folder: Path) -> Measured:
    """Run an exported classifier over held-out scenes, drawn into `folder`, and compare."""
    dataset = held_out(scenes, folder)
    truth = json.loads(dataset.truth.read_text())
    weathers = {image["file_name"]: image["weather"] for image in truth["images"]}
    right = defaultdict(list)
    for row in results(dataset, model, folder):
        there = weathers[row["item"]]
        right[there].append(row["classes"][0]["label"] == there)
    every = [one for ones in right.values() for one in ones]
    classes = {weather: sum(ones) / len(ones) for weather, ones in sorted(right.items())}
    return Measured(scenes, {"accuracy": sum(every) / len(every)}, "accuracy", classes)


_HALF, _WHOLE_AREA, _MOST_FINDS = 0, 0, -1
_CATEGORY = 1 + LABELS.index(ROWER)


def measure_joints(model: Path, scenes: int, folder: Path) -> Measured:
    """Let an exported model find the joints of rowers in held-out scenes, and compare.

    It gets their true boxes first, and then, through `regatta run`, the shipped detector's.
    """
    dataset = held_out(scenes, folder)
    truth = json.loads(dataset.truth.read_text())
    truth["categories"] = [one for one in truth["categories"] if one["id"] == _CATEGORY]
    truth["annotations"] = [one for one in truth["annotations"] if "keypoints" in one]
    graph = Graph(model)
    detections, similar = [], []
    for record in truth["images"]:
        image = np.asarray(cv2.imread(str(dataset.folder / record["file_name"])), np.uint8)
        for rower in truth["annotations"]:
            if rower["image_id"] != record["id"]:
                continue
            points = _found(image, rower["bbox"], graph)
            if rower["num_keypoints"]:
                similar.append(joint_similarity(rower, points[:, :2]))
            detections.append(_pose(record["id"], points, float(points[:, 2].mean())))
    parts = {"detector": DETECTOR, "keypoint": model}
    rows = results(dataset, composed("keypoint", parts, folder, {"people": [ROWER]}), folder)
    there, run = _precision(truth, detections), _precision(truth, _poses_of(truth, rows))
    return Measured(
        scenes,
        {
            "mean OKS": float(np.mean(similar)),
            "AP": float(there.mean()),
            "AP50": float(there[_HALF].mean()),
            "AP50 with the detector": float(run[_HALF].mean()),
        },
    )


def _precision(
    truth: Mapping[str, Any], detections: Iterable[Mapping[str, Any]]
) -> NDArray[np.float64]:
    """Return COCO's precisions [overlaps, recalls, 1]."""
    found = precisions(truth, detections, "keypoints")
    return np.asarray(found[..., _WHOLE_AREA, _MOST_FINDS], np.float64)


def _poses_of(
    truth: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield result rows as COCO keypoints."""
    numbers = {image["file_name"]: image["id"] for image in truth["images"]}
    for row in rows:
        for detection in row["detections"]:
            yield _pose(numbers[row["item"]], np.array(detection["keypoints"]), detection["score"])


def _pose(image: int, points: NDArray[np.float64], score: float) -> Mapping[str, Any]:
    keypoints = np.concatenate([points[:, :2], np.ones((len(points), 1))], 1)
    return {
        "image_id": image,
        "category_id": _CATEGORY,
        "keypoints": keypoints.ravel().tolist(),
        "score": score,
    }


def _found(image: view.Image, bbox: tuple[float, ...], graph: Graph) -> NDArray[np.float64]:
    """Return the joints [17,3] (x, y, score) of the rower in this box, in pixels of the picture."""
    x, y, wide, high = bbox
    height, width = image.shape[:2]
    crop = official_crop((x, y, x + wide, y + high), (width, height))
    return _restored(graph(normalized([crop.image(image, SIZE)]))[0], crop)


def _restored(heatmaps: NDArray[np.float32], crop: Crop) -> NDArray[np.float64]:
    """Return the best points, moved a quarter cell to the higher neighbour (PaddleDetection)."""
    joints, _, wide = heatmaps.shape
    best = heatmaps.reshape(joints, -1).argmax(1)
    padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    x, y, every = best % wide, best // wide, np.arange(joints)
    dx = np.sign(padded[every, y + 1, x + 2] - padded[every, y + 1, x])
    dy = np.sign(padded[every, y + 2, x + 1] - padded[every, y, x + 1])
    cells = np.stack([x + dx / 4, y + dy / 4], 1)
    scores = heatmaps.reshape(joints, -1).max(1)
    return np.concatenate([crop.points(cells * STRIDE, SIZE), scores[:, None]], 1)


def measure_segments(model: Path, scenes: int, folder: Path) -> Measured:
    """Run an exported model over held-out scenes, drawn into `folder`, and compare its masks."""
    dataset = held_out(scenes, folder)
    counts = np.zeros((len(SEGMENTS), len(SEGMENTS)), np.int64)
    for row in results(dataset, model, folder):
        truth = cv2.imread(str(dataset.segments / f"{row['item']}.png"), cv2.IMREAD_GRAYSCALE)
        with Image.open(folder / "out" / row["mask"]) as mask:
            counts += confusion(np.asarray(truth, np.uint8), np.asarray(mask), len(SEGMENTS))
    ious = class_ious(counts)
    right = float(counts.diagonal().sum() / counts.sum())
    return Measured(
        scenes,
        {"mIoU": float(ious.mean()), "pixels right": right},
        "IoU",
        dict(zip(SEGMENTS, ious.tolist(), strict=True)),
    )


_LEAST_OVERLAP = 0.5


def measure_text_detection(model: Path, scenes: int, folder: Path) -> Measured:
    """Measure the recall and precision of an exported text detector on held-out names (IoU 0.5)."""
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


def measure_recognition(model: Path, scenes: int, folder: Path) -> Measured:
    """Measure how well an exported recognizer reads the names in held-out scenes.

    It gets the true quads first, and then, through `regatta run`, the shipped detector's.
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
    """Return how many characters must be added, dropped or changed (Levenshtein 1965)."""
    before = list(range(len(other) + 1))
    for row, here in enumerate(one, 1):
        now = [row]
        for column, there in enumerate(other, 1):
            change = before[column - 1] + (here != there)
            now.append(min(before[column] + 1, now[-1] + 1, change))
        before = now
    return before[-1]


def _pictures(dataset: Dataset) -> Iterator[tuple[view.Image, list[Name]]]:
    """Yield each picture with the names in it."""
    truth = json.loads(dataset.truth.read_text())
    names = defaultdict(list)
    for thing in truth["annotations"]:
        if "name" in thing:
            text, quad, visible = (thing["name"][key] for key in ("text", "quad", "visible"))
            names[thing["image_id"]].append(Name(text, np.array(quad, np.float32), visible))
    for record in truth["images"]:
        image = cv2.imread(str(dataset.folder / record["file_name"]))
        yield np.asarray(image, np.uint8), names[record["id"]]
