"""How the pictures of a run get into the pipeline and out of it: source, tickets, sink."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from core.errors import RetryableError
from core.items import ItemRef
from store.parts import ResultRow
from worker.models import ResidentModel
from worker.networks.network import Pixels
from worker.pipeline.budget import ByteBudget
from worker.pipeline.picture import Picture
from worker.run import ShardRun

Load = Callable[[], Picture]
"""Decodes a picture, or returns one that is decoded. Raises as a stage's work does."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What became of a picture: its row under each model, and the files that these name.

    Both kinds of files go by their keys under the job's output: `files` are encoded; `drawings`
    draw annotated pictures [H,W,3], upright and BGR, which a sink encodes as it likes.
    """

    rows: Sequence[ResultRow]
    files: Mapping[str, bytes]
    drawings: Mapping[str, Callable[[], Pixels]]


class Source(Protocol):
    """Gives the pictures of one run."""

    def feed(self, flow: "Flow") -> None:
        """Let in all pictures, one after the other; return when the last one was let in.

        What can't be decoded is let in, too, and quarantined at once, so that each item has a row.
        Whatever is raised ends the run, and what is in flight is dropped.

        Raises:
            RegattaError: the run is stopping, or the source can't go on.
        """
        ...


class Sink(Protocol):
    """Keeps what became of the pictures of one run, or of many.

    Every picture that was let in comes once, in any order: finished to `encoded` and then `put`, or
    else to `missing`. All three are called by many threads. What a sink's own threads do is best
    done in a `Stage`, which drops what is of a stopping run and tells the watchdog of progress.

    A picture is in flight until it has left, which bounds what a sink has in its hands. One that
    wants pictures in their order may keep any of them until it is their turn; but none of its
    methods may wait for another picture, whose thread may be the one that waits.
    """

    def encoded(self, ticket: "Ticket", finished: Finished) -> Finished:
        """Do what takes a core, and counts as finishing: draw and encode.

        While `drawings` are left to do, the picture counts as held until its ticket leaves.
        """
        ...

    def put(self, ticket: "Ticket", finished: Finished) -> None:
        """Keep the files, then let the ticket leave with its rows. May wait for its own threads."""
        ...

    def missing(self, ticket: "Ticket") -> None:
        """Note that a picture does not come: it is quarantined, or its run is over."""
        ...


class Flow:
    """The way of one run's pictures: what they share, and the door by which they get in.

    One thread at a time, the source's own, lets pictures in. `window` is how many may be in flight.
    """

    def __init__(
        self,
        run: ShardRun,
        model: ResidentModel,
        sink: Sink,
        *,
        budget: ByteBudget,
        window: int,
        put: Callable[["Ticket", Load], None],
    ) -> None:
        self.run = run
        self.model = model
        self.sink = sink
        self.budget = budget
        self.put = put
        """Hand over a picture that was let in, to be decoded; waits while too many do."""
        self.is_waiting = False  # for a picture to leave, before it lets in another one
        self._window = window

    def enter(self, item: ItemRef, frame: int | None = None, pts: float | None = None) -> "Ticket":
        """Let a picture in that is yet to be fetched or decoded, as soon as the window allows it.

        Who is given the ticket sees to it that it leaves.

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
        """Let in a decoded picture and hand it over; waits for the window, memory and room.

        Pictures get their memory in the order in which they are shown, so that a sink that
        wants them in that order never waits for one that has none.

        Raises:
            RegattaError: the run is stopping.
        """
        ticket = self.enter(picture.item, picture.frame, picture.pts)
        ticket.hold(picture.image.nbytes)
        self.put(ticket, lambda: picture)


@dataclass(slots=True, eq=False)
class Ticket:
    """The account of one picture: in flight, and perhaps held in memory, until it leaves.

    One thread at a time has it. `size` is width and height, once they are known.
    """

    flow: Flow
    item: ItemRef
    frame: int | None = None
    pts: float | None = None
    size: tuple[int, int] | None = None
    _held: int = 0
    _is_with_sink: bool = False
    _has_left: bool = False

    @property
    def run(self) -> ShardRun:
        """The run that it is in flight for."""
        return self.flow.run

    def hold(self, size: int) -> None:
        """Count so many bytes of pixels as held, unless some are; waits while too many are."""
        if not self._held:
            self.flow.budget.take(size, lambda: self.run.stopping)
            self._held = size

    def let_go(self) -> None:
        """Count the pixels as gone."""
        if self._held:
            self.flow.budget.give_back(self._held)
            self._held = 0

    def keep(self, finished: Finished) -> None:
        """Give what became of the picture to the sink, which has the ticket from here on.

        Raises:
            Exception: the sink did not take it.
        """
        self._is_with_sink = True
        try:
            self.flow.sink.put(self, finished)
        except BaseException:
            self._is_with_sink = False
            raise

    def leave(self, rows: Sequence[ResultRow]) -> None:
        """End with a row for each model. Leaving again does nothing."""
        self._leave(rows)

    def quarantine(self, reason: str, message: str) -> None:
        """End with rows that say why there is no result."""
        self._miss()
        models = self.run.unit.model.members
        text = f"{reason}: {message}"
        self._leave([self.quarantined(model.name, model.task, text) for model in models])

    def drop(self) -> None:
        """End without rows, as the run has a reason to stop."""
        self._miss()
        self._leave(None)

    def quarantined(self, model: str, task: str, reason: str) -> ResultRow:
        """Return the row of this picture under a model that has no result for it."""
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
        """Tell the sink, unless it had the picture already, that there is none to come."""
        try:
            if not self._is_with_sink:
                self.flow.sink.missing(self)
        except Exception as error:
            # A fault of one sink must not end a thread that all share.
            _log.exception("unexpected", job=self.run.unit.job, sink=type(self.flow.sink).__name__)
            self.run.fail(RetryableError(f"sink: {error!r}"))

    def _leave(self, rows: Sequence[ResultRow] | None) -> None:
        if not self._has_left:
            self._has_left = True
            self.let_go()
            self.run.leave(self.item, self.frame, rows)
