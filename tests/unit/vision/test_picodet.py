from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from scipy.special import softmax

from core.errors import BadInputError, FatalError
from core.options import JobOptions
from vision.exports.export import read_export
from vision.outputs.picodet import PicoDecoder
from worker.networks.by_task import detector_of

SIZE = (64, 96)
STRIDES = [8, 16, 32, 64]
NMS = {
    "name": "MultiClassNMS",
    "nms_top_k": 60,
    "keep_top_k": 20,
    "score_threshold": 0.3,
    "nms_threshold": 0.5,
}


def outputs(seed: int, images: int = 1, classes: int = 3, bins: int = 8) -> list[NDArray[Any]]:
    """Random raw outputs; sharp distributions, so that boxes differ in size."""
    rng = np.random.default_rng(seed)
    cells = [-(-SIZE[0] // step) * -(-SIZE[1] // step) for step in STRIDES]
    scores = [rng.beta(0.6, 1.5, (images, count, classes)).astype("f4") for count in cells]
    spread = [rng.normal(0, 3, (images, count, 4 * bins)).astype("f4") for count in cells]
    return [*scores, *spread]


def area(box: NDArray[Any]) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


def overlap(a: NDArray[Any], b: NDArray[Any]) -> float:
    shared = area(np.array([*np.maximum(a[:2], b[:2]), *np.minimum(a[2:], b[2:])]))
    return shared / (area(a) + area(b) - shared + 1e-5)


def official(
    raw: list[NDArray[Any]], place: int, im_shape: Any, scale_yx: Any, nms: dict[str, Any]
) -> list[list[float]]:
    """PicoDetPostProcess, one image and one box after the other."""
    boxes, scores = [], []
    for stride, score, spread in zip(STRIDES, raw[: len(STRIDES)], raw[4:], strict=True):
        columns = np.arange(SIZE[1] / stride)
        centres = [((c + 0.5) * stride, (r + 0.5) * stride)
                   for r in np.arange(SIZE[0] / stride) for c in columns]  # fmt: skip
        distances = softmax(spread[place].reshape(len(centres), 4, -1), axis=2)
        distances = (distances * np.arange(distances.shape[2])).sum(axis=2) * stride
        best = np.argsort(score[place].max(axis=1))[::-1][: nms["nms_top_k"]]
        for cell in best:
            (x, y), (left, top, right, bottom) = centres[cell], distances[cell]
            boxes.append([x - left, y - top, x + right, y + bottom])
            scores.append(score[place, cell])
    table, sure = np.array(boxes), np.array(scores)
    rows = []
    for class_id in range(sure.shape[1]):
        ranked = np.argsort(-sure[:, class_id], kind="stable")
        ranked = [row for row in ranked if sure[row, class_id] > nms["score_threshold"]][:200]
        picked: list[int] = []
        for row in ranked:
            if all(overlap(table[row], table[other]) <= nms["nms_threshold"] for other in picked):
                picked.append(row)
        for row in picked[: nms["keep_top_k"]]:
            box = table[row].clip(0, [im_shape[1], im_shape[0]] * 2)
            box /= [scale_yx[1], scale_yx[0]] * 2
            rows.append([class_id, float(sure[row, class_id]), *box])
    return rows


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("changes", [{}, {"keep_top_k": 3}, {"nms_threshold": 0.1}])
def test_boxes_are_those_of_the_official_post_processing(
    seed: int, changes: dict[str, Any]
) -> None:
    nms = NMS | changes
    decoder = PicoDecoder.of({"fpn_stride": STRIDES, "NMS": nms})
    raw = outputs(seed, images=2)
    maps = decoder.maps(raw, 2, SIZE)
    im_shape, scale_yx = np.array([60, 90], "f4"), np.array([0.5, 0.25], "f4")
    for place in range(2):
        part = [(scores[place], spread[place]) for scores, spread in maps]
        rows = decoder.rows(part, SIZE, im_shape, scale_yx)
        expected = official(raw, place, im_shape, scale_yx, nms)
        assert 3 < len(expected) < 200
        np.testing.assert_allclose(rows, np.array(expected), atol=1e-3)


def test_a_box_is_as_far_from_its_cell_as_its_bins_say() -> None:
    decoder = PicoDecoder.of({"fpn_stride": [16], "NMS": {}})
    scores, spread = np.zeros((1, 24, 2), "f4"), np.full((1, 24, 4, 5), -99, "f4")
    scores[0, 6 + 2, 1] = 0.75  # the second row, the third column: its centre is at 40, 24
    for side, strides in enumerate((1, 0, 2, 1)):
        spread[0, 8, side, strides] = 99
    [(score, distances)] = decoder.maps([scores, spread.reshape(1, 24, 20)], 1, SIZE)
    rows = decoder.rows(
        [(score[0], distances[0])], SIZE, np.array(SIZE, "f4"), np.array([2, 1], "f4")
    )
    assert rows.tolist() == [[1, 0.75, 24, 12, 72, 20]]


def test_a_network_finds_boxes_in_some_images_only(tmp_path: Path) -> None:
    steps = [
        {"type": "Resize", "target_size": list(SIZE), "keep_ratio": False, "interp": 2},
        {"type": "Permute"},
    ]
    config = {"arch": "PicoDet", "Preprocess": steps, "fpn_stride": STRIDES, "NMS": NMS}
    (tmp_path / "infer_cfg.yml").write_text(
        yaml.safe_dump(config | {"label_list": ["a", "b", "c"]})
    )
    for name in ("model.json", "model.pdiparams"):
        (tmp_path / name).touch()
    network = detector_of(read_export(tmp_path))
    raw = outputs(1, images=2)
    for scores in raw[:4]:
        scores[0] = 0.2
    batch = [network.prepare(np.zeros((32, 24, 3), np.uint8))] * 2
    nothing, some = network.split(raw, batch, 2)
    options = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90, threshold=0.6)
    assert len(network.found(nothing, options)) == 0
    some[0][3][1][0, 5] = np.nan
    with pytest.raises(BadInputError, match="NaN or infinity"):
        network.found(some, options)
    some[0][3][1][0, 5] = 0
    found = network.found(some, options)
    assert len(found) > 0
    assert found.xyxy.max() <= 32
    assert found.scores.min() > 0.6


@pytest.mark.parametrize("broken", [slice(7), slice(0), slice(None, None, -1)])
def test_other_outputs_are_refused(broken: slice) -> None:
    decoder = PicoDecoder.of({"fpn_stride": STRIDES, "NMS": NMS})
    with pytest.raises(FatalError, match="expected 4 maps of scores"):
        decoder.maps(outputs(0)[broken], 1, SIZE)
