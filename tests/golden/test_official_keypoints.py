"""TinyPose on photos says what PaddleDetection's own tools say; so do the parts of the way there.

REGATTA_REFERENCE names a folder with `models/`, `media/photos/` and `expected/`, the last with one
JSON per model: {photo: [{rect, keypoints: 17 x [x, y, score]}]}. For the comparison of single steps
REGATTA_PADDLEDETECTION names a checkout of PaddleDetection.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.profile import NetworkProfile
from core.ways import Way
from vision.exports.export import read_export
from vision.ops.detection import Sample
from vision.ops.keypoint import EvalAffine, TopDownEvalAffine
from vision.ops.person_crop import person_crop
from vision.ops.preprocess import Preprocessor
from vision.outputs.heatmaps import read_heatmaps
from vision.outputs.tag_grouping import group_by_tags
from vision.read.picture import read_picture
from worker.engines.paddle.engine import load_predictor, offers, ways

REFERENCE = Path(os.environ["REGATTA_REFERENCE"])
PHOTOS = REFERENCE / "media/photos"
SIZES = ("128x96", "256x192")
EXPECTED = {
    size: json.loads((REFERENCE / f"expected/tinypose_{size}.photos.json").read_text())
    for size in SIZES
}
OFFICIAL = Path(os.environ.get("REGATTA_PADDLEDETECTION", "/nowhere")) / "deploy/python"
needs_official = pytest.mark.skipif(not OFFICIAL.is_dir(), reason="no checkout of PaddleDetection")


@pytest.mark.parametrize("batched", [False, True], ids=["one by one", "batched"])
@pytest.mark.parametrize("fast", [False, True], ids=["plain", "as jobs run it"])
@pytest.mark.parametrize("size", SIZES)
def test_keypoints_are_those_of_the_official_tools(size: str, fast: bool, batched: bool) -> None:
    export = read_export(REFERENCE / "models" / f"tinypose_{size}")
    first = export.ops[0]
    assert isinstance(first, TopDownEvalAffine)
    prepare = Preprocessor(export.ops)
    profile = NetworkProfile(offers()[0].offer, batch_size=8)
    way = ways(export.model_file)[0] if fast else Way.PLAIN
    predictor = load_predictor(export.model_file, export.params_file, profile=profile, way=way)
    for photo, people in EXPECTED[size].items():
        image = read_picture((PHOTOS / photo).read_bytes(), max_pixels=10**9).pixels
        crops = [person_crop(person["rect"], image.shape[:2]) for person in people]
        inputs = [prepare(image[c.y1 : c.y2, c.x1 : c.x2]).image for c in crops if c is not None]
        assert len(inputs) == len(people)
        batches = [np.stack(inputs)] if batched else [one[None] for one in inputs]
        heatmaps = np.concatenate([predictor.predict({"image": batch})[0] for batch in batches])
        points = read_heatmaps(heatmaps)
        places = first.restored(points[..., :2], heatmaps.shape[2:], np.array(crops))

        theirs = np.array([person["keypoints"] for person in people])
        assert points[..., 2] == pytest.approx(theirs[..., 2], abs=0.01)
        # A pixel of the crop, as the model is shown it, is so many of the photo.
        scale = np.array([(c.x2 - c.x1) / first.trainsize[0] for c in crops if c is not None])
        assert (np.abs(places - theirs[..., :2]) / scale[:, None, None]).max() < 1
    predictor.close()


def test_the_reference_is_not_trivial() -> None:
    for size in SIZES:
        assert sum(map(len, EXPECTED[size].values())) > 10


def official(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(OFFICIAL))
    found = runpy.run_path(str(OFFICIAL / name))
    sys.modules.pop("keypoint_preprocess", None)
    return found


@needs_official
def test_crops_and_inputs_are_the_official_ones_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = official("keypoint_preprocess.py", monkeypatch)
    random = np.random.default_rng(7)
    image = random.integers(0, 256, (427, 641, 3), np.uint8)
    compared = 0
    corners = np.sort(random.uniform(-60, 700, (400, 2, 2)), axis=1)
    for box in corners.reshape(400, 4):
        crop = person_crop(box.tolist(), image.shape[:2])
        pixels, rect, _ = theirs["expand_crop"](image, np.array([0, 0.9, *box]))
        if crop is None:
            # The tool takes the negative end of a box outside for one that counts from the right.
            assert pixels.size == 0 or min(rect[2:]) < 0
            continue
        assert list(crop) == rect
        info = {"im_shape": np.array(pixels.shape[:2], np.float32)}
        for udp in (False, True):
            ours = TopDownEvalAffine((96, 128), use_udp=udp)
            mine = ours.apply(Sample(pixels, im_shape=pixels.shape[:2])).image
            expected, _ = theirs["TopDownEvalAffine"]([96, 128], use_udp=udp)(pixels, info)
            assert np.array_equal(mine, expected)
        compared += 1
    assert compared > 100


@needs_official
@pytest.mark.parametrize("size", [(1, 1), (480, 640), (641, 480), (333, 500), (37, 501)])
def test_canvases_are_the_official_ones_to_the_bit(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = official("keypoint_preprocess.py", monkeypatch)
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    expected, _ = theirs["EvalAffine"](512)(image, {})
    assert np.array_equal(EvalAffine(512).apply(Sample(image, im_shape=size)).image, expected)


def blobs(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Smooth noise with some peaks, as networks give it."""
    noise = random.normal(0, 1, shape).astype(np.float32)
    smooth = np.array([cv2.GaussianBlur(one, (0, 0), 2) for one in noise.reshape(-1, *shape[-2:])])
    return (smooth / np.abs(smooth).max()).reshape(shape)


@needs_official
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("dark", [True, False])
def test_heatmaps_are_read_as_officially(dark: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = official("keypoint_postprocess.py", monkeypatch)["HRNetPostProcess"](use_dark=dark)
    random = np.random.default_rng(5)
    heatmaps = blobs(random, (20, 17, 64, 48))
    x1, y1 = random.integers(0, 300, (2, 20))
    crops = np.stack([x1, y1, x1 + random.integers(20, 400, 20), y1 + 311], axis=1)
    sizes = (crops[:, 2:] - crops[:, :2]).astype(np.float32)

    points = read_heatmaps(heatmaps, dark=dark)
    places = TopDownEvalAffine((192, 256)).restored(points[..., :2], (64, 48), crops)
    expected, _ = theirs(heatmaps.copy(), np.round(sizes / 2), sizes / 200)
    assert points[..., 2] == pytest.approx(expected[..., 2], abs=1e-6)
    expected = expected[..., :2] + crops[:, None, :2]
    # Where the parabola is nearly flat, the last bit moves its top; nobody reads such points.
    apart = np.abs(places - expected).max(-1) / (sizes[:, :1] / 192)
    assert np.quantile(apart, 0.99) < 0.01
    assert np.median(apart) < 1e-4


@needs_official
@pytest.mark.parametrize("seed", range(8))
def test_people_are_grouped_as_officially(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (OFFICIAL / "keypoint_postprocess.py").read_text()
    # NumPy no longer makes arrays of lists of different lengths, and none is needed here.
    ragged = "np.array([cluster[k]['tags'] for k in cluster])"
    assert ragged in source
    monkeypatch.syspath_prepend(str(OFFICIAL))
    theirs: dict[str, Any] = {"__name__": "official"}
    exec(source.replace(ragged, ragged[9:-1]), theirs)  # noqa: S102 - the tool itself, to compare
    sys.modules.pop("keypoint_preprocess", None)

    random = np.random.default_rng(seed)
    heat = 0.5 * blobs(random, (1, 17, 128, 256))
    tags = (8 * blobs(random, (1, 17, 128, 256)))[..., None]
    windows = np.stack([cv2.dilate(one, np.ones((5, 5))) for one in heat[0]])
    peaks = (heat[0] * (heat[0] == windows)).reshape(17, -1)
    best = np.argsort(-peaks, axis=1, kind="stable")[:, :30]
    outputs = (heat, tags, np.take_along_axis(peaks, best, 1)[None], best[None])
    size = (400, 611)

    points, scores = group_by_tags(outputs)
    expected, expected_scores = theirs["HrHRNetPostProcess"]()(*outputs, *map(np.float32, size))
    places = EvalAffine(128).restored(points[..., :2], (128, 256), size)
    assert len(points) > 10
    assert scores == pytest.approx(expected_scores, abs=1e-6)
    assert points[..., 2] == pytest.approx(expected[..., 2], abs=1e-5)
    has = points[..., 2] > 0
    assert places[has] == pytest.approx(expected[..., :2][has], abs=0.01)
