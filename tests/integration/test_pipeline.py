"""The pipeline's real threads around a scripted network."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pytest

from core.errors import BadInputError, FatalError, RegattaError, RetryableError
from core.items import ItemRef
from core.options import ModelRef
from core.profile import ExecutionProfile
from core.states import ItemState
from core.work import Directive
from store.files import FileObjects
from store.locations import use_s3
from store.parts import ResultRow
from store.s3.options import S3Options
from tests.bench import OFFER, OPTIONS, PROFILE
from tests.buckets.server import Server
from tests.workshop import (
    PATIENCE,
    Gate,
    Network,
    models_of,
    new_run,
    work_unit,
    write_item,
    write_model,
)
from vision.read.picture import read_picture
from worker.engines.protocol import OutOfMemoryError, SickEngineError
from worker.pipeline.budget import Held, PictureMemory
from worker.pipeline.pipeline import Pipeline, Threads
from worker.run import ShardRun, StoppedError


class Works:
    """A pipeline with one predictor, or more, and runs over pictures in one folder."""

    def __init__(self, folder: Path, model: ModelRef, *, predict: int = 1) -> None:
        self.folder = folder
        self.model = model
        self.network = Network()
        threads = Threads(fetch=2, decode=2, predict=predict, finish=2, upload=2)
        self.pipeline = Pipeline(models_of(self.network, replicas=predict), threads)
        self.pool = ThreadPoolExecutor(4)

    def items(self, numbers: Sequence[int], **options: Any) -> list[ItemRef]:
        return [write_item(self.folder / "source", number, **options) for number in numbers]

    def new_run(
        self,
        shard: int = 1,
        *,
        annotate: bool = False,
        drawing: Mapping[str, Any] = MappingProxyType({}),
        **changes: Any,
    ) -> ShardRun:
        options = OPTIONS.but(annotate=annotate, **drawing)
        places: dict[str, Any] = {
            "source": self.folder / "source",
            "output": self.folder / "output",
        }
        return new_run(work_unit(self.model, shard=shard, options=options, **places, **changes))

    def rows(
        self, items: Sequence[ItemRef], run: ShardRun, profile: ExecutionProfile = PROFILE
    ) -> list[ResultRow]:
        model = self.pipeline.models.acquire(self.model, profile)
        try:
            return self.pipeline.rows(run, items, model)
        finally:
            self.pipeline.models.release(model)

    def begin(self, items: Sequence[ItemRef], run: ShardRun) -> "Future[list[ResultRow]]":
        return self.pool.submit(self.rows, items, run)

    def close(self) -> None:
        self.pool.shutdown()
        self.pipeline.close()
        self.pipeline.models.close()


@pytest.fixture
def make_works(tmp_path: Path) -> Iterator[Callable[..., Works]]:
    model = write_model(tmp_path / "model")
    with ExitStack() as stack:

        def make(**options: Any) -> Works:
            works = Works(tmp_path, model, **options)
            stack.callback(works.close)
            return works

        yield make


@pytest.fixture
def works(make_works: Callable[..., Works]) -> Works:
    return make_works()


def assert_whole(rows: Sequence[ResultRow], items: Sequence[ItemRef]) -> None:
    """Each item, in order, has the one box that tells its own number."""
    assert [row.item for row in rows] == list(items)
    for row in rows:
        number = int(row.item.key[:3])
        assert row.state is ItemState.SUCCEEDED
        assert row.detections is not None
        assert row.detections.xyxy.tolist() == [[number, number, number + 1, number + 2]]
        assert row.detections.class_ids.tolist() == [number % 2]


def reasons(rows: Sequence[ResultRow]) -> dict[str, str]:
    """The codes of the quarantined."""
    return {row.item.key: (row.reason or "").split(":")[0] for row in rows if row.reason}


def test_every_item_gets_its_own_result_in_listing_order(works: Works) -> None:
    items = works.items(range(30))
    rows = works.rows(items, works.new_run())
    assert_whole(rows, items)
    assert {(row.width, row.height) for row in rows} == {(8, 6)}
    assert [row.annotated for row in rows] == [None] * 30


def test_every_batch_has_the_profiles_size(works: Works) -> None:
    works.rows(works.items(range(10)), works.new_run())
    assert {len(batch) for batch in works.network.batches} == {PROFILE.batch_size}


def test_no_items_have_no_rows(works: Works) -> None:
    assert works.rows([], works.new_run()) == []


def test_images_of_many_shapes_are_batched_by_shape(works: Works) -> None:
    small, large = works.items(range(6)), works.items(range(6, 12), size=(5, 9))
    items = [item for pair in zip(small, large, strict=True) for item in pair]
    assert_whole(works.rows(items, works.new_run()), items)
    assert all(max(batch) < 6 or min(batch) >= 6 for batch in works.network.batches)


def test_pictures_go_to_their_final_keys(works: Works) -> None:
    items = works.items([3], size=(64, 48))
    [row] = works.rows(items, works.new_run(annotate=True))
    assert row.annotated == "annotated/003.png.jpg"
    data = FileObjects(works.folder / "output").get(row.annotated)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (48, 64, 3)


@pytest.mark.parametrize("form", ["png", "webp"])
def test_pictures_have_the_format_that_was_asked_for(works: Works, form: str) -> None:
    drawing = {"picture_format": form}
    [row] = works.rows(works.items([3]), works.new_run(annotate=True, drawing=drawing))
    assert row.annotated == f"annotated/003.png.{form}"
    data = FileObjects(works.folder / "output").get(row.annotated)
    assert read_picture(data, max_pixels=100).pixels.shape == (6, 8, 3)


def test_a_sample_of_all_items_is_drawn_however_they_are_cut_into_shards(works: Works) -> None:
    def drawn(*shards: range) -> list[str]:
        runs = [
            works.new_run(number, annotate=True, drawing={"sample": 5}, listed=20)
            for number, _ in enumerate(shards, 1)
        ]
        pairs = zip(shards, runs, strict=True)
        rows = [row for shard, run in pairs for row in works.rows(works.items(shard), run)]
        return [row.item.key for row in rows if row.annotated]

    whole = drawn(range(20))
    assert len(whole) == 5
    assert drawn(range(7), range(7, 8), range(8, 20)) == whole


def test_pictures_of_nothing_can_be_left_out(works: Works) -> None:
    options = {"only_found": True}
    run = works.new_run(annotate=True, drawing={**options, "classes": ("odd",)})
    rows = works.rows(works.items(range(4)), run)
    assert [bool(row.annotated) for row in rows] == [False, True, False, True]
    assert [len(row.detections or ()) for row in rows] == [0, 1, 0, 1]


def test_bad_items_fail_alone(works: Works) -> None:
    items = works.items(range(8))
    (works.folder / "source" / "002.png").write_bytes(b"no picture")
    (works.folder / "source" / "005.png").unlink()
    items[6] = replace(items[6], etag="as it was listed")
    rows = works.rows(items, works.new_run())
    expected = {"002.png": "not_an_image", "005.png": "source_missing"}
    assert reasons(rows) == {**expected, "006.png": "source_changed"}
    good = [row for row in rows if row.reason is None]
    assert_whole(good, [row.item for row in good])


def test_a_batch_that_the_network_refuses_is_tried_one_by_one(works: Works) -> None:
    works.network.refused = frozenset({2})
    items = works.items(range(4))
    rows = works.rows(items, works.new_run())
    assert reasons(rows) == {"002.png": "predict_failed"}
    assert_whole(rows[:2] + rows[3:], items[:2] + items[3:])


def test_a_batch_that_fails_for_no_known_reason_is_tried_one_by_one(works: Works) -> None:
    def fail(numbers: list[int]) -> None:
        if 2 in numbers:
            raise ZeroDivisionError

    works.network.before = fail
    rows = works.rows(works.items(range(4)), works.new_run())
    assert reasons(rows) == {"002.png": "internal_error"}


def test_a_batch_that_does_not_fit_is_halved_for_good(works: Works) -> None:
    works.network.largest_batch = 2
    items = works.items(range(10))
    assert_whole(works.rows(items, works.new_run()), items)
    sizes = [len(batch) for batch in works.network.batches]
    assert set(sizes) == {4, 2}
    works.network.batches.clear()
    assert_whole(works.rows(items, works.new_run()), items)
    assert {len(batch) for batch in works.network.batches} == {2}


def test_two_predictors_that_run_out_of_memory_at_once_halve_once(
    make_works: Callable[..., Works],
) -> None:
    works = make_works(predict=2)
    meeting: Any = threading.Barrier(2, timeout=PATIENCE)

    def meet(numbers: list[int]) -> None:
        if len(numbers) > 2:
            meeting.wait()
            raise MemoryError

    works.network.before = meet
    items = works.items(range(8))
    assert_whole(works.rows(items, works.new_run()), items)
    assert {len(batch) for batch in works.network.batches} == {4, 2}


def test_an_image_that_does_not_even_fit_alone_is_quarantined(works: Works) -> None:
    def too_much(numbers: list[int]) -> None:
        if 1 in numbers:
            raise OutOfMemoryError("it is larger than the others")

    works.network.before = too_much
    items = works.items(range(3))
    rows = works.rows(items, works.new_run())
    assert set(reasons(rows).values()) == {"out_of_memory"}
    assert [row.state for row in rows] == ["succeeded", "quarantined", "succeeded"]


def test_a_memory_that_nothing_fits_into_any_more_is_no_items_fault(works: Works) -> None:
    works.network.largest_batch = 0
    with pytest.raises(SickEngineError) as caught:
        works.rows(works.items(range(3)), works.new_run())
    assert (caught.value.engine, caught.value.has_run) == (OFFER.key, False)


@pytest.mark.parametrize("error", [FatalError("no such input"), RetryableError("device lost")])
def test_a_network_that_cannot_run_ends_the_run(works: Works, error: RegattaError) -> None:
    def fail(_: list[int]) -> None:
        raise error

    works.network.before = fail
    with pytest.raises(type(error)):
        works.rows(works.items(range(20)), works.new_run())


def test_a_network_that_answers_for_too_few_images_ends_the_run(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [np.zeros((1, 6), np.float32), np.ones(1, np.int32)]
    monkeypatch.setattr("tests.workshop.NumberFinder.predict", lambda *_: answer)
    with pytest.raises(FatalError, match="row counts"):
        works.rows(works.items(range(3)), works.new_run())


def test_an_output_that_cannot_be_written_ends_the_run(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RetryableError("disk full")

    monkeypatch.setattr(FileObjects, "put", full)
    with pytest.raises(RetryableError, match="disk full"):
        works.rows(works.items(range(20)), works.new_run(annotate=True))


def test_an_item_whose_picture_cannot_be_written_is_quarantined(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object, key: str, *__: object, **___: object) -> None:
        if "001" in key:
            raise BadInputError("bad_key", key)

    monkeypatch.setattr(FileObjects, "put", refuse)
    rows = works.rows(works.items(range(3)), works.new_run(annotate=True))
    assert reasons(rows) == {"001.png": "bad_key"}


def test_runs_share_batches_but_not_rows(works: Works) -> None:
    gate = Gate()
    works.network.before = gate.wait
    # The same positions in both listings, and other pictures.
    evens = [write_item(works.folder / "source", 2 * n, index=n) for n in range(25)]
    odds = [write_item(works.folder / "source", 2 * n + 1, index=n) for n in range(25)]
    runs = works.new_run(1), works.new_run(2)
    first, second = (
        works.begin(items, run) for items, run in zip((evens, odds), runs, strict=True)
    )
    gate.until_reached()
    gate.open()
    assert_whole(first.result(PATIENCE), evens)
    assert_whole(second.result(PATIENCE), odds)
    assert all(run._in_flight == 0 for run in runs)


def test_stopping_one_of_two_runs_leaves_the_other_whole(works: Works) -> None:
    gate = Gate()
    works.network.before = gate.wait
    evens = [write_item(works.folder / "source", 2 * n, index=n) for n in range(60)]
    odds = [write_item(works.folder / "source", 2 * n + 1, index=n) for n in range(60)]
    stopped, whole = works.new_run(1), works.new_run(2)
    first, second = works.begin(evens, stopped), works.begin(odds, whole)
    gate.until_reached()
    stopped.stop(Directive.HAND_BACK)
    gate.open()
    with pytest.raises(StoppedError):
        first.result(PATIENCE)
    assert_whole(second.result(PATIENCE), odds)
    assert stopped._in_flight == 0


def test_a_stopped_run_ends_while_it_is_still_feeding(works: Works) -> None:
    gate = Gate()
    works.network.before = gate.wait
    run = works.new_run()
    rows = works.begin(works.items(range(200)), run)
    gate.until_reached()
    run.stop(Directive.CANCEL)
    gate.open()
    with pytest.raises(StoppedError):
        rows.result(PATIENCE)
    assert len(works.network.batches) < 5


def test_items_in_flight_are_bounded(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    run, most = works.new_run(), Counter[str]()
    enter = run.enter

    def counted(window: int) -> None:
        enter(window)
        most["in flight"] = max(most["in flight"], run._in_flight)
        most["window"] = window

    monkeypatch.setattr(run, "enter", counted)
    items = works.items(range(100))
    assert_whole(works.rows(items, run), items)
    assert 0 < most["in flight"] <= most["window"] < 100


def test_pictures_in_flight_are_bounded_by_their_bytes(
    make_works: Callable[..., Works], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = make_works()
    memory, kept = PictureMemory(1), list[int]()  # one at a time, whatever the batch size
    monkeypatch.setattr(works.pipeline, "_memory", memory)
    take = memory.take

    def counted(kind: Held, size: int, given_up: Callable[[], bool]) -> None:
        take(kind, size, given_up)
        if kind is Held.PIXELS:
            kept.append(memory._held[kind] // size)

    monkeypatch.setattr(memory, "take", counted)
    items = works.items(range(12))
    assert_whole(works.rows(items, works.new_run(annotate=True)), items)
    assert kept == [1] * 12
    assert memory.held == 0


def test_times_are_kept_by_stage(works: Works) -> None:
    run = works.new_run()
    works.rows(works.items(range(3)), run)
    assert set(run.seconds) == {"decode", "fetch", "finish", "predict", "upload"}


def test_a_list_that_names_a_bucket_that_does_not_exist_loses_that_item(
    works: Works, moto_server: Server
) -> None:
    there, gone = works.items(range(2))
    gone = replace(gone, uri="s3://no-such-bucket/1.png", etag=None)
    use_s3(moto_server.options())
    try:
        rows = works.rows([there, gone], works.new_run())
    finally:
        use_s3(S3Options())
    assert reasons(rows) == {gone.key: "source_missing"}
    assert "no bucket 'no-such-bucket'" in (rows[1].reason or "")
