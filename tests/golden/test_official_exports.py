"""Whole model families, from the file to the answer, as the official tools run them.

REGATTA_EXPORTS names a folder with exports that the official scripts wrote, each in a folder of its
own: `picodet_raw` (a PicoDet without its post-processing), `higherhrnet`, `hrnet_topdown`, `dino`,
`rtdetr`, `ppyoloe`, `mask_rcnn`, `solov2` (PaddleDetection), `hrnet_w48`, `pp_liteseg`,
`ppmattingv2`, `ppmatting` and `modnet` (PaddleSeg): `make exports` makes them, with random weights
whose answers are not all alike. What isn't there is skipped. See `official_tools` for the tools.
"""

import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.options import JobOptions
from core.profile import NetworkProfile
from predictions.answer import Answer
from tests.golden.official_tools import PADDLEDETECTION, PADDLESEG, imported, outputs_of
from vision.draw.by_task import cut_out
from vision.exports.export import read_export
from vision.ops.person_crop import person_crop
from vision.ops.preprocess import Prepared
from vision.read.picture import read_picture
from worker.engines.paddle.engine import PaddlePredictor, load_predictor, offers
from worker.networks.by_task import network_of
from worker.networks.network import stacked

EXPORTS = Path(os.environ.get("REGATTA_EXPORTS", "/nowhere"))
PHOTO = Path(os.environ["REGATTA_REFERENCE"]) / "media/photos/000000014439.jpg"
PROFILE = NetworkProfile(offers()[0].offer, batch_size=1)
OPTIONS = JobOptions.of(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90)
Report = Callable[..., None]

pytestmark = [
    pytest.mark.timeout(1800),  # the largest take a minute for an image, and are run twice
    pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning"),
]


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Keep a figure for the test's record (`--junit-xml`), and hold it to its limit."""

    def reported(what: str, value: float, limit: float | None = None) -> None:
        request.node.user_properties.append((what, float(value)))
        assert limit is None or value <= limit, what

    return reported


def at(name: str) -> Path:
    if not (EXPORTS / name).is_dir():
        pytest.skip(f"no export {name}")
    return EXPORTS / name


def photo() -> NDArray[np.uint8]:
    return read_picture(PHOTO.read_bytes(), max_pixels=10**9).pixels


class Ours:
    """An export in Regatta, from a picture to its answer."""

    def __init__(self, name: str) -> None:
        self.export = read_export(at(name))
        self.network: Any = network_of(self.export)
        self.predictor: PaddlePredictor = load_predictor(
            self.export.model_file, self.export.params_file, profile=PROFILE
        )

    def feeds(self, image: NDArray[np.uint8]) -> tuple[list[Prepared], dict[str, NDArray[Any]]]:
        batch = [self.network.prepare(image)]
        return batch, stacked(batch, 1)

    def answer(self, outputs: Sequence[NDArray[Any]], image: NDArray[np.uint8]) -> Answer:
        batch, _ = self.feeds(image)
        [output] = self.network.split(outputs, batch, 1)
        answer: Answer = self.network.read(output, (image.shape[1], image.shape[0]), OPTIONS)
        return answer


def largest_difference(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    assert ours.shape == theirs.shape
    return float(np.abs(ours.astype(np.float64) - theirs).max(initial=0.0))


def with_threshold(threshold: float) -> JobOptions:
    return OPTIONS.but(threshold=threshold)


def threshold_among(scores: NDArray[Any], count: int) -> float:
    """A threshold that about `count` scores are above, in the widest gap around there."""
    best = np.sort(scores.astype(np.float64))[::-1]
    around = best[max(0, count - 20) : count + 21]
    gap = int(np.argmax(around[:-1] - around[1:]))
    return float(around[gap : gap + 2].mean())


# PaddleDetection

DETECTORS = {
    "picodet_raw": "DetectorPicoDet",
    "ppyoloe": "Detector",
    "rtdetr": "Detector",
    "dino": "Detector",
    "mask_rcnn": "Detector",
    "solov2": "DetectorSOLOv2",
}


def official_detector(kind: str, name: str, module: str = "infer") -> Any:
    if not PADDLEDETECTION.is_dir():
        pytest.skip("no checkout of PaddleDetection")
    found = imported(module, PADDLEDETECTION / "deploy/python")
    detector = getattr(found, kind)(str(at(name)), enable_mkldnn=False)
    if kind == "DetectorSOLOv2":
        # Paddle 3 sorts a graph's outputs by their names; the tool counts on the order before.
        detector.predictor = _SegmentsFirst(detector.predictor)
    return detector


class _SegmentsFirst:
    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def get_output_names(self) -> list[str]:
        count, label, score, segments = self._predictor.get_output_names()
        return [segments, count, label, score]


def same_inputs(
    ours: dict[str, NDArray[Any]], theirs: dict[str, NDArray[Any]], names: Sequence[str]
) -> None:
    """To the bit."""
    assert len(names) > 0
    for name in names:
        assert np.array_equal(ours[name], theirs[name]), name


def same_outputs(ours: Sequence[NDArray[Any]], theirs: Sequence[NDArray[Any]]) -> None:
    """To the bit: the same inputs and the same engine."""
    assert len(ours) == len(theirs)
    assert [largest_difference(*pair) for pair in zip(ours, theirs, strict=True)] == [0] * len(ours)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_finds_what_the_official_tool_finds(name: str, report: Report) -> None:
    official = official_detector(DETECTORS[name], name)
    inputs = official.preprocess([str(PHOTO)])
    result = official.predict()
    raw = outputs_of(official.predictor)
    found = official.postprocess(inputs, result)
    del official
    ours = Ours(name)
    if "segm" in found:
        raw = [*raw[1:], raw[0]]
    batch, feeds = ours.feeds(photo())

    same_inputs(feeds, inputs, ours.predictor.input_names)
    outputs = ours.predictor.predict(feeds)
    same_outputs(outputs, raw)

    rows, masks = official_rows(found)
    limit = threshold_among(rows[:, 1], 60)
    [output] = ours.network.split(outputs, batch, 1)
    mine = ours.network.found(output, with_threshold(limit))
    kept = np.flatnonzero((rows[:, 1] > limit) & (rows[:, 0] > -1))
    kept = kept[np.argsort(-rows[kept, 1], kind="stable")]
    assert len(kept) > 20
    assert mine.class_ids.tolist() == rows[kept, 0].astype(int).tolist()
    report("found", len(kept))
    report("scores", largest_difference(mine.scores, rows[kept, 1]), 0.01)
    report("boxes", largest_difference(mine.xyxy, rows[kept, 2:6]), 1)
    assert (mine.masks is None) == (masks is None)
    if masks is not None:
        pairs = zip(mine.masks, masks[kept], strict=True)
        report("mask pixels", max((one.decode() != them).mean() for one, them in pairs), 0.001)


def official_rows(found: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """What the tool draws: rows (class, score, x1, y1, x2, y2), and their masks if there are any.

    Around the masks of a SOLOv2 it draws boxes whose last pixels are still inside; Regatta's ends
    are outside, as those of other boxes. Masks without pixels it cannot draw.
    """
    if "boxes" in found:
        masks = found.get("masks")
        return found["boxes"], None if masks is None else masks == 1
    masks = found["segm"].astype(np.bool_)
    rows = np.full((len(masks), 6), -1.0)
    for row, mask in zip(rows, masks, strict=True):
        if mask.any():
            y, x = np.nonzero(mask)
            row[2:] = x.min(), y.min(), x.max() + 1, y.max() + 1
    drawn = rows[:, 2] >= 0
    rows[:, 0], rows[:, 1] = found["label"].ravel(), found["score"].ravel()
    return rows[drawn], masks[drawn]


def test_everybody_in_a_picture_stands_as_officially(report: Report) -> None:
    official = official_detector("KeyPointDetector", "higherhrnet", "keypoint_infer")
    spaces = type(official).postprocess.__globals__["HrHRNetPostProcess"].__call__.__globals__
    # NumPy no longer makes arrays of lists of different lengths, and none is needed here.
    spaces["np"] = SimpleNamespace(**vars(np) | {"array": _array_or_list})
    inputs = official.preprocess([str(PHOTO)])
    result = official.predict()
    raw = outputs_of(official.predictor)
    found = official.postprocess(inputs, result)
    del official
    ours = Ours("higherhrnet")
    image = photo()
    _, feeds = ours.feeds(image)

    same_inputs(feeds, inputs, ours.predictor.input_names)
    outputs = ours.predictor.predict(feeds)
    same_outputs(outputs, raw)

    detections = ours.answer(outputs, image).detections
    assert detections is not None
    points = detections.keypoints
    assert points is not None
    kept = np.flatnonzero(found["score"] > 0)
    order = kept[np.argsort(-found["score"][kept], kind="stable")]
    theirs = found["keypoint"][order]
    assert len(theirs) > 10
    report("found", len(theirs))
    report("scores of people", largest_difference(detections.scores, found["score"][order]), 0.01)
    report("scores", largest_difference(points[..., 2], theirs[..., 2]), 0.01)
    has = theirs[..., 2] > 0
    report("points", largest_difference(points[..., :2][has], theirs[..., :2][has]), 1)


def _array_or_list(values: Any, *arguments: Any, **more: Any) -> Any:
    try:
        return np.array(values, *arguments, **more)
    except ValueError:
        return values


def test_people_in_boxes_stand_as_officially(report: Report) -> None:
    official = official_detector("KeyPointDetector", "hrnet_topdown", "keypoint_infer")
    image = photo()
    boxes = [[30, 60, 130, 330], [200.5, 11.25, 300, 420], [350, 100, 639, 424], [-9, 5, 44, 90]]
    rows = np.array([[0, 0.9, *box] for box in boxes])
    pictures, crops, _ = official.get_person_from_rect(image[:, :, ::-1], {"boxes": rows})
    inputs = official.preprocess(pictures)
    result = official.predict()
    raw = outputs_of(official.predictor)
    found = official.postprocess(inputs, result)
    ours = Ours("hrnet_topdown")
    mine = [person_crop(box, image.shape[:2]) for box in boxes]
    batch = [ours.network.prepare(image[c.y1 : c.y2, c.x1 : c.x2]) for c in mine if c is not None]

    assert [list(crop) for crop in mine if crop is not None] == crops
    feeds = stacked(batch, len(batch))
    same_inputs(feeds, inputs, ours.predictor.input_names)
    outputs = ours.predictor.predict(feeds)
    same_outputs(outputs, raw)

    points = ours.network.keypoints(ours.network.split(outputs, batch, len(batch)), mine)
    scale = np.array([(crop.x2 - crop.x1) / inputs["image"].shape[3] for crop in mine])
    theirs = found["keypoint"][..., :2] + np.array(crops)[:, None, :2]
    apart = np.abs(points[..., :2] - theirs) / scale[:, None, None]
    report("scores", largest_difference(points[..., 2:], found["keypoint"][..., 2:]), 0.01)
    report("points", apart.max(), 1)


# PaddleSeg


class Run(NamedTuple):
    """What one of PaddleSeg's tools fed, what it was answered, and how it would save that."""

    inputs: NDArray[Any]
    raw: NDArray[Any]
    saved: NDArray[Any]
    predictor: Any


def official_run(name: str, tool: str, *more: Path, folder: Path) -> tuple[Run, ModuleType]:
    """Run the `deploy/python/infer.py` below `tool` on the photo, as far as before it saves."""
    if not PADDLESEG.is_dir():
        pytest.skip("no checkout of PaddleSeg")
    directory = at(name)
    module = imported("infer", PADDLESEG / tool / "deploy/python", *more, PADDLESEG)
    given: list[Any] = []
    inputs: list[Any] = []

    class Recorder(module.Predictor):
        def _preprocess(self, *arguments: Any, **named: Any) -> Any:
            prepared = super()._preprocess(*arguments, **named)
            inputs.append(prepared["img"] if isinstance(prepared, dict) else prepared)
            return prepared

        def _save_imgs(self, found: Any, *arguments: Any) -> None:
            given.append(found)

    arguments = Namespace(
        cfg=str(directory / "deploy.yaml"),
        device="cpu",
        enable_mkldnn=False,
        cpu_threads=1,
        benchmark=False,
        print_detail=False,
        with_argmax=False,
        batch_size=1,
        save_dir=str(folder),
    )
    predictor = Recorder(arguments)
    predictor.run([str(PHOTO)])
    raw = outputs_of(predictor.predictor)[0]
    return Run(np.stack(inputs), raw, given[0], predictor), module


def ours_beside(name: str, run: Run, report: Report) -> tuple[Answer, NDArray[np.uint8]]:
    """Regatta's answer for the photo; its inputs and outputs are the tool's."""
    ours = Ours(name)
    image = photo()
    _, feeds = ours.feeds(image)
    report("inputs", largest_difference(feeds["image"], run.inputs), 1e-6)
    outputs = ours.predictor.predict(feeds)
    report("outputs", largest_difference(outputs[0], run.raw), 1e-4)
    return ours.answer(outputs, image), image


@pytest.mark.parametrize("name", ["hrnet_w48", "pp_liteseg"])
def test_a_mask_is_that_of_the_official_tool(name: str, tmp_path: Path, report: Report) -> None:
    run, _ = official_run(name, ".", folder=tmp_path)
    answer, image = ours_beside(name, run, report)
    assert answer.mask is not None
    # Its own tool leaves the mask as large as the graph's input.
    expected = cv2.resize(
        run.saved[0].astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )
    assert len(np.unique(expected)) > 2
    report("pixels", (answer.mask != expected).mean(), 0.001)


@pytest.mark.parametrize("name", ["ppmattingv2", "ppmatting", "modnet"])
def test_alpha_is_that_of_the_official_tool(name: str, tmp_path: Path, report: Report) -> None:
    run, module = official_run(name, "Matting", PADDLESEG / "Matting", folder=tmp_path)
    answer, image = ours_beside(name, run, report)
    module.args = Namespace(save_dir=str(tmp_path), fg_estimate=False)
    module.Predictor._save_imgs(run.predictor, run.saved, str(PHOTO))
    alpha = cv2.imread(str(tmp_path / f"{PHOTO.stem}_alpha.png"), cv2.IMREAD_GRAYSCALE)
    transparent = cv2.imread(str(tmp_path / f"{PHOTO.stem}_rgba.png"), cv2.IMREAD_UNCHANGED)
    assert answer.mask is not None
    theirs = np.asarray(alpha)
    assert np.ptp(theirs) > 20
    report("alpha", largest_difference(answer.mask, theirs), 1)
    mine = cv2.imdecode(
        np.frombuffer(cut_out("matting", image, answer.mask), np.uint8), cv2.IMREAD_UNCHANGED
    )
    report("cut-out", largest_difference(mine, np.asarray(transparent)), 1)
