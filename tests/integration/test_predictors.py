import dataclasses
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from core.errors import FatalError
from core.profile import NetworkProfile
from core.ways import Way
from tests.scenes import SIDE, Blob, draw_blobs, paint, tolerance
from worker.engines.paddle import engine as adapter
from worker.engines.paddle.engine import load_predictor, offers, ways
from worker.engines.paddle.interpolations import export_program
from worker.engines.protocol import ModelFiles, OutOfMemoryError, PredictError, Predictor

SIZE = (320, 240)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

PROFILE = NetworkProfile(offers()[0].offer, batch_size=8)

Feeds = dict[str, NDArray[Any]]


def load(model: Path, profile: NetworkProfile = PROFILE, *, way: Way = Way.PLAIN) -> Predictor:
    return load_predictor(model / "model.json", model / "model.pdiparams", profile=profile, way=way)


def files_of(model: Path) -> ModelFiles:
    return ModelFiles(model / "model.json", model / "model.pdiparams")


def feeds_of(images: list[NDArray[np.uint8]], shape: tuple[int, int] = (SIDE, SIDE)) -> Feeds:
    """A batch as the networks' configuration wants it: `shape` is height, width."""
    height, width = shape
    small = [cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in images]
    rgb = np.stack([image[:, :, ::-1] for image in small])
    return {
        "image": ((rgb / 255 - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32),
        "im_shape": np.array([shape] * len(images), np.float32),
        "scale_factor": np.array(
            [(height / image.shape[0], width / image.shape[1]) for image in images], np.float32
        ),
    }


def assert_found(rows: NDArray[Any], blobs: list[Blob], size: tuple[int, int] = SIZE) -> None:
    """Each blob has one row [class, score, x1, y1, x2, y2], and there is no other row."""
    for blob in blobs:
        off = np.abs(rows[:, 2:] - blob.box).max(axis=1)
        assert np.sum((rows[:, 0] == blob.class_id) & (off <= tolerance(size))) == 1
    assert len(rows) == len(blobs)


def run_python(*args: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, *args], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )


def bits(outputs: list[NDArray[Any]]) -> list[bytes]:
    return [output.tobytes() for output in outputs]


@pytest.mark.parametrize("seed", range(8))
def test_a_detector_finds_what_was_drawn(seed: int, blob_detector: Path) -> None:
    image, blobs = draw_blobs(seed, SIZE)

    with closing(load(blob_detector)) as predictor:
        rows, counts = predictor.predict(feeds_of([image]))

    assert predictor.input_names == ("image", "scale_factor")
    assert counts.tolist() == [len(blobs)]
    assert_found(rows, blobs)


@pytest.mark.parametrize("size", [(320, 240), (240, 320)])
def test_a_detr_finds_what_was_drawn(size: tuple[int, int], blob_detr: Path) -> None:
    scenes = [draw_blobs(seed, size) for seed in range(3)]
    shape = (SIDE * size[1] // min(size), SIDE * size[0] // min(size))

    with closing(load(blob_detr)) as predictor:
        rows, counts = predictor.predict(feeds_of([image for image, _ in scenes], shape))

    assert counts.tolist() == [10, 10, 10]
    for part, (_, blobs) in zip(np.split(rows, 3), scenes, strict=True):
        assert_found(part[part[:, 1] > 0.5], blobs, size)


def test_nothing_found_is_no_row(blob_detector: Path) -> None:
    with closing(load(blob_detector)) as predictor:
        rows, counts = predictor.predict(feeds_of([paint(SIZE, []), paint(SIZE, [])]))

    assert rows.shape == (0, 6)
    assert counts.tolist() == [0, 0]


@pytest.mark.parametrize("net", ["blob_detector", "blob_detr"])
def test_a_padded_batch_gives_the_bits_of_a_single_image(
    net: str, request: pytest.FixtureRequest
) -> None:
    image, blobs = draw_blobs(5, SIZE)

    with closing(load(request.getfixturevalue(net))) as predictor:
        alone, (count,) = predictor.predict(feeds_of([image]))
        for size in range(2, 9):
            rows, counts = predictor.predict(feeds_of([image, *[paint(SIZE, blobs)] * (size - 1)]))
            assert counts.tolist() == [count] * size
            assert rows.tobytes() == alone.tobytes() * size


def test_outputs_outlive_the_next_call_and_the_predictor(blob_detector: Path) -> None:
    predictor = load(blob_detector)
    outputs = predictor.predict(feeds_of([draw_blobs(1, SIZE)[0]]))
    before = bits(outputs)

    predictor.predict(feeds_of([draw_blobs(2, SIZE)[0]]))
    predictor.close()
    predictor.close()

    assert bits(outputs) == before


def test_replicas_run_at_once_without_mixing_results(blob_detector: Path) -> None:
    replicas = adapter.load(files_of(blob_detector), PROFILE, count=3)
    batches = [feeds_of([draw_blobs(seed, SIZE)[0]] * 4) for seed in range(12)]
    truth = [bits(replicas[0].predict(batch)) for batch in batches]

    def run(predictor: Predictor) -> list[list[bytes]]:
        return [bits(predictor.predict(batch)) for batch in batches for _ in range(5)]

    with ThreadPoolExecutor(len(replicas)) as threads:
        answers = list(threads.map(run, replicas))

    assert len({str(one) for one in truth}) == len(batches)  # else mixing could not be seen
    assert answers == [[one for one in truth for _ in range(5)]] * 3


def test_a_replica_outlives_the_first(blob_detector: Path) -> None:
    image, blobs = draw_blobs(4, SIZE)
    first, second = adapter.load(files_of(blob_detector), PROFILE, count=2)
    first.close()

    assert_found(second.predict(feeds_of([image]))[0], blobs)


def test_an_input_that_nobody_makes_is_fatal(blob_detr: Path) -> None:
    feeds = feeds_of([draw_blobs(1, SIZE)[0]])
    del feeds["im_shape"]

    with closing(load(blob_detr)) as predictor, pytest.raises(FatalError, match="im_shape"):
        predictor.predict(feeds)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 4, SIDE, SIDE), np.float32),  # four channels
        np.zeros((2, 3, SIDE, SIDE), np.uint8),
        np.zeros((3, SIDE), np.float32),
        np.zeros((2, 3, SIDE, SIDE), object),
    ],
    ids=["channels", "type", "rank", "object"],
)
def test_what_the_network_refuses_harms_only_itself(
    image: NDArray[Any], blob_detector: Path
) -> None:
    good, blobs = draw_blobs(3, SIZE)

    with closing(load(blob_detector)) as predictor:
        with pytest.raises(PredictError) as caught:
            predictor.predict({**feeds_of([good, good]), "image": image})
        rows, _ = predictor.predict(feeds_of([good]))

    assert "\n" not in str(caught.value)
    assert_found(rows, blobs)


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "missing"])
@pytest.mark.parametrize("name", ["model.json", "model.pdiparams"])
def test_a_damaged_model_is_fatal_and_named(
    name: str, damage: str, blob_detector: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(blob_detector, tmp_path / "model"))
    content = (model / name).read_bytes()
    damaged = {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "garbage": b"\xff" * len(content),
    }
    if damage == "missing":
        (model / name).unlink()
    else:
        (model / name).write_bytes(damaged[damage])

    with pytest.raises(FatalError, match=name):
        load(model)


def test_a_profile_that_is_not_offered_is_refused(blob_detector: Path) -> None:
    offer = dataclasses.replace(PROFILE.offer, version="3.0.0")
    with pytest.raises(FatalError, match=r"3\.0\.0"):
        load(blob_detector, dataclasses.replace(PROFILE, offer=offer))


@pytest.mark.parametrize(("way", "copies"), [(Way.PLAIN, 1), (Way.ONEDNN, 4)])
def test_predictors_state_the_copies_of_the_weights_that_they_keep(
    blob_detector: Path, way: Way, copies: int
) -> None:
    predictors = adapter.load(files_of(blob_detector), PROFILE, way=way, count=3)
    weights = (blob_detector / "model.pdiparams").stat().st_size
    assert sum(predictor.memory_bytes for predictor in predictors) == copies * weights


class Failing:
    """What Paddle Inference looks like when it fails in `run`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_input_names(self) -> list[str]:
        return ["image"]

    def get_output_names(self) -> list[str]:
        return ["fetch_name_0"]

    def get_input_handle(self, name: str) -> "Failing":
        return self

    def copy_from_cpu(self, array: NDArray[Any]) -> None:
        pass

    def run(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "batch", "expected"),
    [
        (MemoryError("In user code:\n\n ResourceExhaustedError: no"), 1, OutOfMemoryError),
        (RuntimeError("std::exception"), 2, OutOfMemoryError),  # oneDNN names no cause
        (RuntimeError("std::exception"), 1, PredictError),
        (RuntimeError("Unavailable"), 2, PredictError),
        (SystemError(""), 2, PredictError),
    ],
)
def test_errors_say_what_to_do_next(
    error: Exception, batch: int, expected: type[Exception]
) -> None:
    predictor = adapter.PaddlePredictor(Failing(error))

    with pytest.raises(expected):
        predictor.predict({"image": np.zeros((batch, 3, 4, 4), np.float32)})


def test_a_batch_beyond_memory_is_told_from_a_bad_one(blob_detector: Path) -> None:
    script = f"""
import resource
import numpy as np
from core.profile import NetworkProfile
from pathlib import Path
from worker.engines.paddle.engine import load_predictor, offers
from worker.engines.protocol import OutOfMemoryError
profile = NetworkProfile(offers()[0].offer, batch_size=8)
model = Path({str(blob_detector)!r})
predictor = load_predictor(model / "model.json", model / "model.pdiparams", profile=profile)
def run(n):
    return predictor.predict({{
        "image": np.zeros((n, 3, {SIDE}, {SIDE}), np.float32),
        "scale_factor": np.ones((n, 2), np.float32),
    }})
run(1)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))
try:
    run(1024)
except OutOfMemoryError:
    print("out of memory", run(1)[1].tolist())
"""

    done = run_python("-c", script)

    assert (done.stdout, done.returncode) == ("out of memory [0]\n", 0), done.stderr


@pytest.mark.parametrize("thread", ["main", "other"])
def test_importing_paddle_leaves_the_process_as_it_was(thread: str) -> None:
    script = f"""
import importlib, logging, os, signal, sys, threading
def state():
    with open("/proc/self/status") as status:
        caught = int(*(line.split()[1] for line in status if line.startswith("SigCgt")), 16)
    caught &= 2**31 - 1  # the others are the C library's
    return caught, logging.root.handlers[:], logging.root.level, os.environ.get("OMP_NUM_THREADS")
signal.signal(signal.SIGTERM, lambda *_: print("drain"))
before = state()
load = threading.Thread(target=importlib.import_module, args=("worker.engines.paddle.engine",))
load.run() if {thread!r} == "main" else (load.start(), load.join())
assert "paddle" in sys.modules
assert state() == before, (state(), before)
os.kill(os.getpid(), signal.SIGTERM)
"""

    done = run_python("-W", "error", "-c", script)

    assert (done.returncode, done.stdout, done.stderr) == (0, "drain\n", "")


def test_the_offer_names_what_numerics_depend_on() -> None:
    (offered,) = offers()
    offer = offered.offer

    assert (offer.engine, offer.precision) == ("paddle", "fp32")
    assert offer.device.startswith("cpu-")


def test_a_limited_onednn_is_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    free = offers()[0].offer.device
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    adapter._cpu_class.cache_clear()

    limited = offers()[0].offer.device
    adapter._cpu_class.cache_clear()

    assert limited == f"{free}-onednn-avx2"


@pytest.mark.parametrize(
    ("version", "works"),
    [("3.2.2", True), ("3.0.0", True), ("2.6.2", True), ("3.3.0", False), ("3.10.0rc1", False)],
)
def test_onednn_is_off_where_it_is_broken(version: str, works: bool) -> None:
    assert adapter._onednn_works(version) is works


def test_a_way_that_onednn_refuses_is_fatal(
    blob_detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = adapter.paddle.inference.create_predictor

    def picky(config: Any) -> Any:
        if config.mkldnn_enabled():
            raise ValueError("(InvalidArgument) outputs of another type than inputs")
        return create(config)

    monkeypatch.setattr(adapter.paddle.inference, "create_predictor", picky)

    for way in (Way.ONEDNN, Way.ONEDNN_UNPLACED):
        with pytest.raises(FatalError, match=f"{way}.*of another type"):
            load(blob_detector, way=way)
    load(blob_detector).close()


@pytest.mark.parametrize("way", Way)
def test_a_network_finds_the_same_in_every_way(way: Way, blob_detector: Path) -> None:
    image, blobs = draw_blobs(5, SIZE)

    with closing(load(blob_detector, way=way)) as predictor:
        rows, _ = predictor.predict(feeds_of([image]))

    assert_found(rows, blobs)


def test_no_way_but_the_plain_one_is_offered_where_onednn_is_broken(
    blob_detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = blob_detector / "model.json"
    assert ways(graph)
    monkeypatch.setattr(adapter, "_onednn_works", lambda _: False)
    assert ways(graph) == ()


@pytest.mark.parametrize(
    ("new_ir", "tried", "tried_with_loop"),
    [(True, (Way.ONEDNN, Way.ONEDNN_UNPLACED), (Way.ONEDNN_UNPLACED,)), (False, (Way.ONEDNN,), ())],
    ids=["json", "pdmodel"],
)
@pytest.mark.parametrize("loops", [True, False])
def test_a_program_loops_by_its_operators_not_by_the_words_in_it(
    tmp_path: Path,
    loops: bool,
    new_ir: bool,
    tried: tuple[Way, ...],
    tried_with_loop: tuple[Way, ...],
) -> None:
    paddle = adapter.paddle

    def build(inputs: list[Any]) -> list[Any]:
        weight = paddle.static.create_parameter([3, 3], "float32", "convert_while_loop")
        first = inputs[0] @ weight
        if not loops:
            return [first]
        count = paddle.full([1], 0, "int64")
        _, last = paddle.static.nn.while_loop(
            lambda n, _: n < 3, lambda n, y: [n + 1, y * 2], [count, first]
        )
        return [last]

    graph = export_program(build, [(-1, 3)], tmp_path / "model", new_ir=new_ir)

    with capture_logs() as logs:
        offered = [ways(graph) for _ in range(3)]

    assert b"while" in graph.read_bytes()
    assert offered == [tried_with_loop if loops else tried] * 3
    assert [log["event"] for log in logs] == ["onednn limited"] * loops  # once
