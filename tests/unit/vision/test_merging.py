from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import UsageError
from predictions.detections import Detections
from vision.merging import Method, Metric, merge
from vision.neighbours import Neighbours
from vision.rle import area, runs_of

Rows = list[tuple[float, ...]]  # class, score, x1, y1, x2, y2


def detections(rows: Rows) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, 2:], table[:, 1], table[:, 0].astype(np.int32))


def as_rows(found: Detections) -> Rows:
    columns = zip(found.class_ids.tolist(), found.scores.tolist(), found.xyxy.tolist(), strict=True)
    return [(class_id, score, *box) for class_id, score, box in columns]


def random_boxes(seed: int, count: int, *, side: float, classes: int = 3) -> Detections:
    """Boxes that crowd, some of them equal, with scores of which many are."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 200, (count, 2))
    sides = rng.uniform(0, side, (count, 2)) * rng.choice([0, 1, 1, 1, 1, 5], (count, 1))
    xyxy = np.hstack([centres - sides / 2, centres + sides / 2]).astype(np.float32)
    copies = rng.integers(0, count, count // 10)
    xyxy[rng.integers(0, count, len(copies))] = xyxy[copies]
    scores = rng.integers(1, 40, count).astype(np.float32) / 40
    return Detections(xyxy, scores, rng.integers(0, classes, count).astype(np.int32))


def matrix(boxes: NDArray[np.float32], metric: Metric) -> NDArray[np.float32]:
    """SAHI's matrix of overlaps, float32 like its boxes."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    wide = np.minimum(boxes[:, None, 2], boxes[:, 2]) - np.maximum(boxes[:, None, 0], boxes[:, 0])
    high = np.minimum(boxes[:, None, 3], boxes[:, 3]) - np.maximum(boxes[:, None, 1], boxes[:, 1])
    inter = np.maximum(0, wide) * np.maximum(0, high)
    whole = (
        areas[:, None] + areas - inter
        if metric == "iou"
        else np.minimum(areas[:, None], areas[None])
    )
    ratio: NDArray[np.float32] = np.divide(inter, whole, out=np.zeros_like(inter), where=whole > 0)
    return ratio


def pair_overlap(a: Any, b: Any, metric: Metric) -> float:
    """SAHI's overlap of two objects, float64."""
    a, b = np.array(a, np.float64), np.array(b, np.float64)
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    area_a, area_b = np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2])
    whole = area_a + area_b - np.prod(sides) if metric == "iou" else min(area_a, area_b)
    return float(np.prod(sides) / whole) if whole > 0 else 0.0


def slowly(found: Detections, method: Method, metric: Metric, threshold: float) -> Rows:
    """SAHI's batched NMS and greedy NMM, class by class, each box against all others."""
    rows: Rows = []
    for class_id in np.unique(found.class_ids):
        mine = np.flatnonzero(found.class_ids == class_id)
        boxes, scores = found.xyxy[mine], found.scores[mine]
        ratios = matrix(boxes, metric)
        order = np.lexsort((boxes[:, 3], boxes[:, 2], boxes[:, 1], boxes[:, 0], -scores))
        gone = np.zeros(len(mine), bool)
        for place, row in enumerate(order):
            if gone[row]:
                continue
            rest = [other for other in order[place + 1 :] if not gone[other]]
            taken = [other for other in rest if ratios[row, other] >= np.float32(threshold)]
            gone[taken] = True
            box = boxes[row].astype(np.float64)
            for other in taken if method == "nmm" else []:
                if pair_overlap(box, boxes[other], metric) > threshold:
                    box[:2] = np.minimum(box[:2], boxes[other, :2])
                    box[2:] = np.maximum(box[2:], boxes[other, 2:])
            rows.append((int(class_id), float(scores[row]), *box.tolist()))
    return sorted(rows, key=lambda row: -row[1])


@pytest.mark.parametrize("method", ["nms", "nmm"])
def test_nothing_merges_to_nothing(method: Method) -> None:
    assert len(merge(Detections.empty(), method=method, metric="ios", threshold=0.5)) == 0


def test_a_box_of_another_class_stays() -> None:
    found = detections([(0, 0.5, 0, 0, 9, 9), (1, 0.9, 0, 0, 9, 9), (0, 0.7, 0, 0, 9, 9)])
    merged = merge(found, method="nms", metric="iou", threshold=0.5)
    assert merged.class_ids.tolist() == [1, 0]
    assert merged.scores.tolist() == pytest.approx([0.9, 0.7])


def test_an_object_that_an_edge_cut_in_two_is_whole_again() -> None:
    halves = detections([(0, 0.5, 0, 0, 60, 10), (0, 0.875, 40, 0, 100, 10)])
    assert as_rows(merge(halves, method="nmm", metric="ios", threshold=0.3)) == [
        (0, 0.875, 0, 0, 100, 10)
    ]
    assert as_rows(merge(halves, method="nms", metric="ios", threshold=0.3)) == [
        (0, 0.875, 40, 0, 100, 10)
    ]
    assert len(merge(halves, method="nmm", metric="iou", threshold=0.3)) == 2


def test_masks_of_one_object_become_one() -> None:
    pixels = np.zeros((3, 10, 100), bool)
    pixels[0, :, :60] = pixels[1, :, 40:] = pixels[2, :2, :3] = True
    rows: Rows = [(0, 0.5, 0, 0, 60, 10), (0, 0.875, 40, 0, 100, 10), (1, 0.25, 0, 0, 3, 2)]
    found = replace(detections(rows), masks=tuple(map(runs_of, pixels)))
    grown = merge(found, method="nmm", metric="ios", threshold=0.3)
    assert grown.masks is not None
    assert [area(mask) for mask in grown.masks] == [1000, 6]
    cut = merge(found, method="nms", metric="ios", threshold=0.3)
    assert cut.masks == (runs_of(pixels[1]), runs_of(pixels[2]))


@pytest.mark.parametrize("method", ["nms", "nmm"])
@pytest.mark.parametrize("metric", ["iou", "ios"])
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("side", [12.0, 60.0])
def test_the_result_is_that_of_comparing_each_with_each(
    method: Method, metric: Metric, threshold: float, side: float
) -> None:
    found = random_boxes(int(side), 700, side=side)
    merged = as_rows(merge(found, method=method, metric=metric, threshold=threshold))
    expected = slowly(found, method, metric, threshold)
    assert sorted(merged) == sorted(expected)
    assert [row[1] for row in merged] == [row[1] for row in expected]
    assert 1 < len(merged) < len(found)


def test_crowds_are_merged_in_pieces_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = random_boxes(5, 600, side=40)
    monkeypatch.setattr("vision.merging._PAIRS_AT_ONCE", 50)
    merged = as_rows(merge(found, method="nmm", metric="ios", threshold=0.4))
    assert sorted(merged) == sorted(slowly(found, "nmm", "ios", 0.4))


def test_boxes_far_outside_are_boxes_too() -> None:
    rows: Rows = [(0, 0.9 - n / 10, x, -5e8, x + 10, 1e9) for n, x in enumerate((-1e6, 4e9, 4e9))]
    found = detections([*rows, (0, 0.1, 3, 3, 3, 3), (0, 0.2, 9, 9, 5, 5)])
    merged = as_rows(merge(found, method="nms", metric="iou", threshold=0.5))
    assert sorted(merged) == sorted(slowly(found, "nms", "iou", 0.5))


def test_every_pair_that_shares_pixels_is_a_neighbour_once() -> None:
    found = random_boxes(9, 300, side=50, classes=2)
    groups = found.class_ids.astype(np.int64)
    boxes, others = Neighbours.of(found.xyxy, groups).pairs(np.arange(300))
    pairs = list(zip(boxes.tolist(), others.tolist(), strict=True))
    shared = np.triu((matrix(found.xyxy, "ios") > 0) & (groups[:, None] == groups), 1)
    assert len(set(pairs)) == len(pairs)
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(shared)), strict=True)) <= set(pairs)
    assert len(pairs) < 300 * 299 / 4


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1, float("nan")])
def test_an_overlap_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match="cannot be merged"):
        merge(Detections.empty(), method="nms", metric="iou", threshold=threshold)
