"""The same model on the same photos must say what PaddleDetection's own tools say.

REGATTA_REFERENCE names a folder with `models/`, `media/photos/` and `expected/`, the last with one
JSON per model: {photo: [{class_id, score, box}]}, scores >= 0.3.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import paddle.inference as paddle_infer
import pytest

from predictions.detections import Detections
from vision.exports.export import read_export
from vision.ops.preprocess import Preprocessor
from vision.outputs.postprocess import read_rows, split_rows
from vision.read.picture import read_picture

REFERENCE = Path(os.environ["REGATTA_REFERENCE"])
EXPECTED = json.loads((REFERENCE / "expected/picodet_xs_320.photos.json").read_text())
THRESHOLD = 0.3
MODEL = read_export(REFERENCE / "models/picodet_xs_320_coco_lcnet")


@pytest.fixture(scope="module")
def predictor() -> Any:
    config = paddle_infer.Config(str(MODEL.model_file), str(MODEL.params_file))
    config.disable_gpu()
    config.disable_glog_info()
    config.disable_mkldnn()  # on unless told otherwise, and some of its kernels are wrong
    config.enable_new_executor()
    config.enable_memory_optim()
    config.set_cpu_math_library_num_threads(1)
    assert not config.mkldnn_enabled()
    return paddle_infer.create_predictor(config)


def detect(predictor: Any, photo: Path, threshold: float) -> Detections:
    prepared = Preprocessor(MODEL.ops)(read_picture(photo.read_bytes(), max_pixels=10**8).pixels)
    for name in predictor.get_input_names():
        predictor.get_input_handle(name).copy_from_cpu(getattr(prepared, name)[None])
    predictor.run()
    names = predictor.get_output_names()
    outputs = [predictor.get_output_handle(name).copy_to_cpu() for name in names]
    (rows,) = split_rows(outputs, batch_size=1)
    return read_rows(rows, threshold=threshold)


def unmatched(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What of `left` is nowhere in `right`, each of which can answer once."""
    free = list(right)
    lost = []
    for one in left:
        twins = [
            other
            for other in free
            if other["class_id"] == one["class_id"]
            and abs(other["score"] - one["score"]) <= 0.01
            and np.abs(np.subtract(other["box"], one["box"])).max() <= 1
        ]
        if twins:
            free.remove(min(twins, key=lambda other: abs(other["score"] - one["score"])))
        elif one["score"] > THRESHOLD + 0.01:
            lost.append(one)
    return lost


@pytest.mark.parametrize("photo", sorted(EXPECTED))
def test_detections_are_those_of_the_official_tools(photo: str, predictor: Any) -> None:
    found = detect(predictor, REFERENCE / "media/photos" / photo, THRESHOLD - 0.01)
    ours = [
        {"class_id": class_id, "score": score, "box": box}
        for class_id, score, box in zip(
            found.class_ids.tolist(), found.scores.tolist(), found.xyxy.tolist(), strict=True
        )
    ]
    theirs = EXPECTED[photo]

    assert unmatched(theirs, ours) == []
    assert unmatched(ours, theirs) == []


def test_the_reference_is_not_trivial() -> None:
    assert sum(map(len, EXPECTED.values())) > 50
