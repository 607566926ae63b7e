from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from core.errors import RegattaError
from core.items import ItemRef
from core.work import Directive, WorkUnit
from tests.workshop import new_run
from worker.pipeline.budget import Held, PictureMemory
from worker.pipeline.flow import Finished, Flow, Load, Picture, Ticket

MODEL: Any = None
ITEM = ItemRef(0, "a.mp4")


class Kept:
    """A sink that notes frames, and refuses what is told."""

    def __init__(self, *, full: bool = False) -> None:
        self.kept: list[int | None] = []
        self.missed: list[int | None] = []
        self._full = full

    def encoded(self, ticket: Ticket, finished: Finished) -> Finished:
        return finished

    def put(self, ticket: Ticket, finished: Finished) -> None:
        if self._full:
            raise ValueError("full")
        self.kept.append(ticket.frame)

    def missing(self, ticket: Ticket) -> None:
        self.missed.append(ticket.frame)


class Way:
    def __init__(self, unit: WorkUnit, sink: Kept | None = None) -> None:
        self.run = new_run(unit)
        self.sink = sink or Kept()
        self.memory = PictureMemory(1000)
        self.put: list[tuple[Ticket, Load]] = []
        self.flow = Flow(
            self.run,
            MODEL,
            self.sink,
            memory=self.memory,
            window=2,
            put=lambda *entry: self.put.append(entry),
        )

    def frames(self) -> Sequence[int | None]:
        return [row.frame for row in self.run.rows([ITEM])]


@pytest.fixture
def way(unit: WorkUnit) -> Way:
    return Way(unit)


def test_a_shown_picture_is_held_until_it_has_left(way: Way) -> None:
    picture = Picture(ITEM, 3, 0.12, np.zeros((5, 7, 3), np.uint8))
    assert picture.size_wh == (7, 5)
    way.flow.show(picture)
    [(ticket, load)] = way.put
    assert load() is picture
    assert way.memory.held == 5 * 7 * 3
    ticket.hold(Held.PIXELS, 10**6)  # is counted already
    assert way.memory.held == 5 * 7 * 3
    ticket.hold(Held.DRAWING, 50)
    ticket.hold_exactly(Held.DRAWING, 20)
    assert way.memory.held == 5 * 7 * 3 + 20
    ticket.let_go(Held.PIXELS)
    assert way.memory.held == 20
    ticket.leave([ticket.quarantined("m", "t", "r")])
    assert way.memory.held == 0
    [row] = way.run.rows([ITEM])
    assert (row.frame, row.pts) == (3, 0.12)


def test_a_ticket_leaves_once(way: Way) -> None:
    ticket, _ = way.flow.enter(ITEM, 0), way.flow.enter(ITEM, 1)
    ticket.quarantine("decode_failed", "no")
    ticket.leave([])
    ticket.drop()
    assert way.run._in_flight == 1
    way.flow.enter(ITEM, 2)  # there is room for one


def test_a_picture_that_ended_early_is_missing_in_the_sink(way: Way) -> None:
    way.flow.enter(ITEM, 0).quarantine("decode_failed", "no")
    way.flow.enter(ITEM, 1).drop()
    assert way.sink.missed == [0, 1]
    assert way.frames() == [0]


def test_what_the_sink_has_is_not_missing(way: Way) -> None:
    ticket = way.flow.enter(ITEM, 0)
    ticket.keep(Finished([], {}, {}))
    ticket.quarantine("not_encodable", "no")
    assert (way.sink.kept, way.sink.missed) == ([0], [])


def test_what_the_sink_did_not_take_is_missing(unit: WorkUnit) -> None:
    way = Way(unit, Kept(full=True))
    ticket = way.flow.enter(ITEM, 0)
    with pytest.raises(ValueError, match="full"):
        ticket.keep(Finished([], {}, {}))
    ticket.drop()
    assert way.sink.missed == [0]


def test_nothing_gets_in_once_the_run_is_stopping(way: Way) -> None:
    way.run.stop(Directive.CANCEL)
    with pytest.raises(RegattaError):
        way.flow.enter(ITEM)
    assert not way.flow.is_waiting
