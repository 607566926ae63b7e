"""How a run's pictures get into the pipeline and out of it: source, tickets, sink."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from core.errors import RetryableError
from core.items import ItemRef
from store.parts import ResultRow
from worker.models import ResidentModel
from worker.networks.network import Pixels
from worker.pipeline.budget import Held, PictureMemory
from worker.run import ShardRun
from worker.steps import Step


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An upright BGR picture [H,W,3] of an item; a still image has neither `frame` nor `pts`.

    `frame` counts an item's pictures from 0; `pts` is in seconds.
    """

    item: ItemRef
    frame: int | None
    pts: float | None
    image: Pixels

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]


Load = Callable[[], Picture]
"""Decodes a picture, or returns a decoded one. Raises what a stage's work may raise."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What became of a picture: its row for each model, and the files that the rows name.

    Files are named by their keys under the job's output: `files` are encoded already; `drawings`
    draw annotated pictures [H,W,3], upright and BGR, for the sink to encode as it likes.
    """

    rows: Sequence[ResultRow]
    files: Mapping[str, bytes]
    drawings: Mapping[str, Callable[[], Pixels]]


class Source(Protocol):
    """Supplies the pictures of one run."""

    def feed(self, flow: "Flow") -> None:
        """Let in all pictures one by one; return when the last is in.

        Pictures that can't be decoded are let in too and quarantined at once, so that each item has
        a row. Any exception ends the run and drops the pictures in flight.

        Raises:
            RegattaError: the run is stopping, or the source can't go on.
        """
        ...


class Sink(Protocol):
    """Takes finished pictures, from one run or many.

    Every picture that was let in arrives once, in any order: if finished, at `encoded` and then
    `put`, or else at `missing`. Many threads call all three. A sink's own threads should be those
    of a `Stage`, which drops pictures of a stopping run and reports progress to the watchdog.

    A picture is in flight until its ticket leaves, which bounds how many a sink holds. A sink that
    wants pictures in order may keep some until it is their turn, but none of its methods may wait
    for another picture: that one may need the very thread that waits.
    """

    def encoded(self, ticket: "Ticket", finished: Finished) -> Finished:
        """Do the work that needs a core and counts as finishing: draw and encode.

        If `drawings` remain, the picture counts as held until its ticket leaves.
        """
        ...

    def put(self, ticket: "Ticket", finished: Finished) -> None:
        """Store the files, then let the ticket leave with its rows. May wait for the sink's own."""
        ...

    def missing(self, ticket: "Ticket") -> None:
        """Note that a picture won't come: it is quarantined, or its run is over."""
        ...


class Flow:
    """One run's pictures on their way: what they share, and how they get in.

    Only the source's thread lets pictures in, at most `window` of which may be in flight.
    """

    def __init__(
        self,
        run: ShardRun,
        model: ResidentModel,
        sink: Sink,
        *,
        memory: PictureMemory,
        window: int,
        put: Callable[["Ticket", Load], None],
    ) -> None:
        self.run = run
        self.model = model
        self.sink = sink
        self.memory = memory
        self.put = put
        """Hands over a picture that was let in for decoding, waiting while too many are queued."""
        self.is_waiting = False  # for a picture to leave before the next one may enter
        self._window = window

    def enter(self, item: ItemRef, frame: int | None = None, pts: float | None = None) -> "Ticket":
        """Let in a picture that is yet to be fetched or decoded, as soon as the window allows.

        The caller sees to it that the ticket leaves.

        Raises:
            RegattaError: the run is stopping.
        """
        self.is_waiting = True
        try:
            self.run.enter(self._window)
        finally:
            self.is_waiting = False
        return Ticket(self, item, frame, pts)

    def show(self, picture: Picture) -> None:
        """Let in a decoded picture and hand it over, waiting for the window, memory and room.

        Pictures get memory in the order in which they are shown, so a sink that wants them in that
        order never waits for one that has no memory yet.

        Raises:
            RegattaError: the run is stopping.
        """
        ticket = self.enter(picture.item, picture.frame, picture.pts)
        ticket.hold(Held.PIXELS, picture.image.nbytes)
        self.put(ticket, lambda: picture)


@dataclass(slots=True, eq=False)
class Ticket:
    """Accounts for one picture: in flight, and perhaps held in memory, until it leaves.

    One thread at a time owns it. `size` is (width, height) once known; `warning` says what was odd
    about the file.
    """

    flow: Flow
    item: ItemRef
    frame: int | None = None
    pts: float | None = None
    size: tuple[int, int] | None = None
    warning: str | None = None
    step: Step | None = None  # while it is worked on
    waited: float = 0.0  # seconds for memory, so far
    _held: dict[Held, int] = field(default_factory=dict)
    _is_with_sink: bool = False
    _has_left: bool = False

    @property
    def run(self) -> ShardRun:
        """The run that the picture belongs to."""
        return self.flow.run

    @property
    def is_drawn(self) -> bool:
        """Whether the picture is to be drawn on, if anything is found."""
        unit = self.run.unit
        return unit.options.drawing.draws(self.item.index, unit.listed)

    def hold(self, kind: Held, size: int, *, pixels: int = 0) -> None:
        """Count `size` bytes as held unless some of the kind are, waiting while memory is short.

        The time for the present step begins anew after that, for a picture of so many `pixels`.
        """
        if kind in self._held:
            return
        if self.step is not None:
            self.step.pause()
        begun = time.perf_counter()
        self.flow.memory.take(kind, size, lambda: self.run.stopping)
        self.waited += time.perf_counter() - begun
        self._held[kind] = size
        if self.step is not None:
            width, height = self.size or (0, 0)
            self.step.begin(pixels or width * height)

    def hold_exactly(self, kind: Held, size: int) -> None:
        """Count `size` bytes as held, whatever was before, without waiting."""
        self.flow.memory.change(kind, size - self._held.get(kind, 0))
        self._held[kind] = size

    def let_go(self, *kinds: Held) -> None:
        """Count what is held of these kinds as gone; of all, if none are given."""
        for kind in kinds or tuple(Held):
            self.flow.memory.change(kind, -self._held.pop(kind, 0))

    def keep(self, finished: Finished) -> None:
        """Give the finished picture to the sink, which owns the ticket from here on.

        Raises:
            Exception: the sink did not accept it.
        """
        self._is_with_sink = True
        try:
            self.flow.sink.put(self, finished)
        except BaseException:
            self._is_with_sink = False
            raise

    def leave(self, rows: Sequence[ResultRow]) -> None:
        """Leave with a row for each model. Leaving again does nothing."""
        self._leave(rows)

    def quarantine(self, reason: str, message: str) -> None:
        """Leave with rows that say why there is no result."""
        self._miss()
        unit, text = self.run.unit, f"{reason}: {message}"
        _log.debug(
            "item quarantined",
            job=unit.job,
            shard=unit.hold.shard,
            item=self.item.key,
            reason=text,
            attempt=unit.hold.attempt,
        )
        models = unit.model.members
        self._leave([self.quarantined(model.name, model.task, text) for model in models])

    def drop(self) -> None:
        """Leave without rows, because the run is stopping."""
        self._miss()
        self._leave(None)

    def quarantined(self, model: str, task: str, reason: str) -> ResultRow:
        """Return this picture's row for a model that has no result for it."""
        return ResultRow.quarantined(
            self.item,
            task=task,
            model=model,
            reason=reason,
            size=self.size,
            frame=self.frame,
            pts=self.pts,
        )

    def _miss(self) -> None:
        """Tell the sink that the picture won't come, unless it has had it already."""
        try:
            if not self._is_with_sink:
                self.flow.sink.missing(self)
        except Exception as error:
            # A fault in one sink must not end a thread that all share.
            _log.exception("unexpected", job=self.run.unit.job, sink=type(self.flow.sink).__name__)
            self.run.fail(RetryableError(f"sink: {error!r}"))

    def _leave(self, rows: Sequence[ResultRow] | None) -> None:
        if not self._has_left:
            self._has_left = True
            self.let_go()
            self.run.leave(self.item, self.frame, rows)
