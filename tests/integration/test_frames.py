"""Many pictures an item: frames from one decoder, in order, into one film for each item, in order.

The source and the sink are those of a video, but for the codec: the frames are made here, and a
film is the list of the numbers that its frames show.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError, RegattaError, RetryableError
from core.items import ItemRef
from core.layout import annotated_image
from core.slicing import Slicing
from core.states import ItemState
from core.work import Directive
from store.files import FileObjects
from store.parts import ResultRow, count_states, encode_rows, iter_rows
from tests.bench import OPTIONS, PROFILE
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
from worker.pipeline.budget import Held, PictureMemory
from worker.pipeline.flow import Finished, Flow, Picture, Sink, Source, Ticket
from worker.pipeline.pipeline import Pipeline, Threads
from worker.pipeline.stage import Stage
from worker.run import ShardRun, StoppedError

WIDE, HIGH = 192, 144
FRAMES = 20  # of an item; a frame's number is unlike that of any other item's
BYTES = WIDE * HIGH * 3
WINDOW = 4 * 8 * 2  # pictures in flight, with two predictors


def number_of(item: int, frame: int) -> int:
    return 100 * item + frame


def image_of(number: int) -> NDArray[np.uint8]:
    return np.full((HIGH, WIDE, 3), number, np.uint8)


@dataclass
class Clips:
    """A source: one decoder, which gives the frames of one clip after those of the other.

    `undecodable` are frames by item and number; `before` is told each frame and may raise.
    """

    items: Sequence[ItemRef]
    frames: int = FRAMES
    undecodable: frozenset[tuple[int, int]] = frozenset()
    before: Callable[[int, int], None] = lambda *_: None
    shown: int = 0

    def feed(self, flow: Flow) -> None:
        for item in self.items:
            for frame in range(self.frames):
                self.before(item.index, frame)
                if (item.index, frame) in self.undecodable:
                    flow.enter(item, frame).quarantine("decode_failed", "half a frame")
                    continue
                image = image_of(number_of(item.index, frame) % 256)
                flow.show(Picture(item, frame, frame / 25, image))
                self.shown += 1


class Films:
    """A sink: one encoder, in a thread of its own, which gets each film's frames in their order.

    `films` holds what the annotated frames show, by item; `arrived` is in what order they came.
    """

    def __init__(self, write: Callable[[Ticket], object] = lambda _: None) -> None:
        self.films: dict[int, list[int]] = {}
        self.arrived: list[tuple[int, int]] = []
        self._write = write
        self._lock = threading.Lock()
        self._next: Counter[int] = Counter()
        self._early: dict[tuple[int, int], Finished | None] = {}
        self._tickets: dict[tuple[int, int], Ticket] = {}
        self._encode: Stage[Finished, Sequence[ResultRow]] = Stage(
            "upload", self._encoded, Ticket.leave, threads=1, depth=2
        )

    @staticmethod
    def encoded(ticket: Ticket, finished: Finished) -> Finished:
        del ticket
        drawn = {key: draw() for key, draw in finished.drawings.items()}
        rows = [replace(row, annotated=None) for row in finished.rows]
        return Finished(rows, finished.files, {k: lambda k=k: drawn[k] for k in drawn})

    def put(self, ticket: Ticket, finished: Finished) -> None:
        self._came(ticket, finished)

    def missing(self, ticket: Ticket) -> None:
        self._came(ticket, None)

    def close(self) -> None:
        self._encode.close()

    def _came(self, ticket: Ticket, finished: Finished | None) -> None:
        assert ticket.frame is not None
        index = ticket.item.index
        with self._lock:
            self.arrived.append((index, ticket.frame))
            self._early[index, ticket.frame] = finished
            self._tickets[index, ticket.frame] = ticket
            while (key := (index, self._next[index])) in self._early:
                self._next[index] += 1
                turn, ready = self._tickets.pop(key), self._early.pop(key)
                if ready is not None:
                    self._encode.put(turn, ready)

    def _encoded(self, ticket: Ticket, finished: Finished) -> Sequence[ResultRow]:
        self._write(ticket)
        film = self.films.setdefault(ticket.item.index, [])
        film += [int(np.median(draw())) for draw in finished.drawings.values()]
        return finished.rows


class Works:
    """A pipeline with two predictors of a scripted network, and runs over made frames."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = write_model(folder / "model")
        self.network = Network()
        threads = Threads(fetch=1, decode=2, predict=2, finish=2, upload=1)
        self.pipeline = Pipeline(models_of(self.network, replicas=2), threads)
        self.pool = ThreadPoolExecutor(2)
        self.resident = self.pipeline.models.acquire(self.model, PROFILE)

    def new_run(self, shard: int = 1, *, annotate: bool = True, **options: Any) -> ShardRun:
        unit = work_unit(
            self.model,
            shard=shard,
            source=self.folder / "source",
            output=self.folder / "output",
            options=OPTIONS.but(annotate=annotate, **options),
        )
        return new_run(unit)

    def rows(
        self, run: ShardRun, clips: Source, sink: Sink, items: Sequence[ItemRef]
    ) -> list[ResultRow]:
        self.pipeline.run(run, clips, self.resident, sink)
        return run.rows(items)

    def begin(self, run: ShardRun, clips: Clips, sink: Sink) -> "Future[list[ResultRow]]":
        return self.pool.submit(self.rows, run, clips, sink, clips.items)

    def close(self) -> None:
        self.pool.shutdown()
        self.pipeline.close()
        assert self.pipeline._memory.held == 0
        self.pipeline.models.close()


@pytest.fixture
def make_works(tmp_path: Path) -> Iterator[Callable[[], Works]]:
    with ExitStack() as stack:

        def make() -> Works:
            works = Works(tmp_path)
            stack.callback(works.close)
            return works

        yield make


@pytest.fixture
def works(make_works: Callable[[], Works]) -> Works:
    return make_works()


@pytest.fixture
def make_films() -> Iterator[Callable[..., Films]]:
    with ExitStack() as stack:

        def make(*how: Any) -> Films:
            films = Films(*how)
            stack.callback(films.close)
            return films

        yield make


@pytest.fixture
def films(make_films: Callable[..., Films]) -> Films:
    return make_films()


ITEMS = (ItemRef(0, "a.mp4"), ItemRef(1, "b.mp4"))
ALL = [(item.index, frame) for item in ITEMS for frame in range(FRAMES)]


def assert_whole(rows: Sequence[ResultRow], frames: Sequence[tuple[int, int]]) -> None:
    """These frames, in this order, each with the one box that tells its own number."""
    assert [(row.item.index, row.frame) for row in rows] == list(frames)
    for row, (item, frame) in zip(rows, frames, strict=True):
        assert row.state is ItemState.SUCCEEDED
        assert row.pts == frame / 25
        assert (row.width, row.height) == (WIDE, HIGH)
        assert row.detections is not None
        assert row.detections.xyxy[:, 0].tolist() == [number_of(item, frame)]


def test_frames_have_rows_and_films_in_their_order(works: Works, films: Films) -> None:
    held, let_second_pass = Gate(), threading.Event()

    def overtaken(numbers: list[int]) -> None:
        if 0 in numbers:  # the first batch is the last one to end
            held.wait()
        elif let_second_pass.is_set():
            held.open()
        let_second_pass.set()

    works.network.before = overtaken
    run = works.new_run()
    rows = works.rows(run, Clips(ITEMS), films, ITEMS)
    assert_whole(rows, ALL)
    assert films.films == {i: [number_of(i, n) for n in range(FRAMES)] for i in (0, 1)}
    assert films.arrived != ALL
    assert sorted(films.arrived) == ALL
    assert set(run.seconds) == {"decode", "predict", "finish", "upload"}
    part = encode_rows(rows)
    assert count_states(part) == {"succeeded": 2}
    printed = [(row["item"], row["frame"], row["pts"]) for row in iter_rows(part)]
    assert printed[FRAMES + 3] == ("b.mp4", 3, 3 / 25)


def test_frames_of_one_decoder_fill_batches(works: Works, films: Films) -> None:
    run = works.new_run()
    works.rows(run, Clips(ITEMS), films, ITEMS)
    # The last may be padded; the others wait for what the decoder still has.
    assert len(works.network.batches) <= 2 * FRAMES / PROFILE.batch_size + 2


def test_frames_that_fail_cost_no_others(works: Works, films: Films) -> None:
    works.network.refused = frozenset({number_of(0, 7)})
    clips = Clips(ITEMS, undecodable=frozenset({(0, 3), (1, 0), (1, FRAMES - 1)}))
    rows = works.rows(works.new_run(), clips, films, ITEMS)
    failed = {
        (row.item.index, row.frame): (row.reason or "").split(":")[0]
        for row in rows
        if row.state is ItemState.QUARANTINED
    }
    undecodable = dict.fromkeys(clips.undecodable, "decode_failed")
    assert failed == {**undecodable, (0, 7): "predict_failed"}
    good = [key for key in ALL if key not in failed]
    assert_whole([row for row in rows if row.reason is None], good)
    assert films.films == {i: [number_of(*key) for key in good if key[0] == i] for i in (0, 1)}
    assert sorted(films.arrived) == ALL
    assert count_states(encode_rows(rows)) == {"quarantined": 2}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RetryableError("the disk is gone"), RetryableError),
        (FatalError("no such codec"), FatalError),
        (ZeroDivisionError("a fault of the decoder's"), RegattaError),
    ],
)
def test_a_source_that_breaks_ends_its_run_and_no_other(
    works: Works, films: Films, error: Exception, kind: type[RegattaError]
) -> None:
    def break_off(item: int, frame: int) -> None:
        if (item, frame) == (1, 5):
            raise error

    run = works.new_run()
    with pytest.raises(kind, match=str(error)):
        works.rows(run, Clips(ITEMS, before=break_off), films, ITEMS)
    assert run._in_flight == 0
    assert sorted(films.arrived) == ALL[: FRAMES + 5]
    assert_whole(works.rows(works.new_run(2), Clips(ITEMS), Films(), ITEMS), ALL)


def test_a_stopped_run_leaves_nothing_in_flight(works: Works, films: Films) -> None:
    gate = Gate()
    works.network.before = gate.wait
    run, clips = works.new_run(), Clips(ITEMS, frames=60)
    rows = works.begin(run, clips, films)
    gate.until_reached()
    run.stop(Directive.HAND_BACK)
    gate.open()
    with pytest.raises(StoppedError):
        rows.result(PATIENCE)
    assert run._in_flight == 0
    assert clips.shown < 120
    # The sink hears once of every frame that was let in.
    assert len(films.arrived) == len(set(films.arrived)) >= clips.shown


@pytest.mark.parametrize("error", [RetryableError("disk full"), ValueError("a fault of ours")])
def test_a_sink_that_cannot_take_a_frame_ends_the_run(
    works: Works, films: Films, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    put = films.put

    def refuse(ticket: Ticket, finished: Finished) -> None:
        if ticket.frame == 5:
            raise error
        put(ticket, finished)

    monkeypatch.setattr(films, "put", refuse)
    run = works.new_run()
    with pytest.raises(RetryableError):
        works.rows(run, Clips(ITEMS), films, ITEMS)
    assert run._in_flight == 0
    assert sorted(films.arrived)[:6] == ALL[:6]  # as missing


def test_a_frame_that_cannot_be_encoded_is_quarantined(
    works: Works, make_films: Callable[..., Films]
) -> None:
    def refuse(ticket: Ticket) -> None:
        if ticket.frame == 4:
            raise BadInputError("not_encodable", "such a frame")

    rows = works.rows(works.new_run(), Clips(ITEMS), films := make_films(refuse), ITEMS)
    failed = [(row.item.index, row.frame) for row in rows if row.reason]
    assert failed == [(0, 4), (1, 4)]
    assert [len(film) for film in films.films.values()] == [FRAMES - 1] * 2


def test_a_slow_sink_holds_the_source_back(works: Works, make_films: Callable[..., Films]) -> None:
    gate = Gate()
    run, clips = works.new_run(), Clips(ITEMS[:1], frames=3 * WINDOW)
    full, wait = threading.Event(), run._changed.wait

    def noted(timeout: float | None = None) -> bool:
        full.set()
        return wait(timeout)

    run._changed.wait = noted  # type: ignore[method-assign]
    rows = works.begin(run, clips, make_films(gate.wait))
    gate.until_reached()
    assert full.wait(PATIENCE)
    assert clips.shown == WINDOW
    gate.open()
    assert len(rows.result(PATIENCE)) == 3 * WINDOW


@pytest.mark.parametrize("limit", [1, 5 * BYTES])
def test_frames_are_bounded_by_their_bytes_until_they_are_in_the_film(
    make_works: Callable[[], Works],
    films: Films,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
) -> None:
    works = make_works()
    memory, most = PictureMemory(limit), Counter[str]()
    monkeypatch.setattr(works.pipeline, "_memory", memory)
    take = memory.take

    def counted(kind: Held, size: int, given_up: Callable[[], bool]) -> None:
        take(kind, size, given_up)
        most["held"] = max(most["held"], memory._held[Held.PIXELS])

    monkeypatch.setattr(memory, "take", counted)
    rows = works.rows(works.new_run(), Clips(ITEMS), films, ITEMS)
    assert_whole(rows, ALL)
    assert 0 < most["held"] <= max(limit, BYTES)


def test_frames_that_are_looked_at_again_keep_their_order_too(works: Works, films: Films) -> None:
    run = works.new_run(slicing=Slicing(96, 96, 0.0, "nms"))
    rows = works.rows(run, Clips(ITEMS), films, ITEMS)
    assert [(row.item.index, row.frame) for row in rows] == ALL
    assert films.films == {i: [number_of(i, n) for n in range(FRAMES)] for i in (0, 1)}
    assert "advance" in run.seconds


def test_frames_and_image_files_share_the_stages(works: Works, films: Films) -> None:
    images = [write_item(works.folder / "source", n, size=(WIDE, HIGH)) for n in range(40)]
    stills = works.pool.submit(
        works.pipeline.rows, works.new_run(2, annotate=False), images, works.resident
    )
    assert_whole(works.rows(works.new_run(), Clips(ITEMS), films, ITEMS), ALL)
    rows = stills.result(PATIENCE)
    assert [row.item for row in rows] == images
    assert {(row.frame, row.pts, row.state) for row in rows} == {(None, None, "succeeded")}


def test_frames_can_be_objects_of_their_own(works: Works) -> None:
    rows = works.rows(works.new_run(), Clips(ITEMS, frames=3), works.pipeline.objects, ITEMS)
    assert [row.annotated for row in rows] == [
        annotated_image(f"{item.key}/{frame:06d}") for item in ITEMS for frame in range(3)
    ]
    output = FileObjects(works.folder / "output")
    assert all(output.get(str(row.annotated)) for row in rows)
