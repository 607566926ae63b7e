"""A pipeline stage: a bounded queue and the threads that empty it."""

import queue
import threading
import time
from collections.abc import Callable

import structlog

from core.errors import BadInputError, FatalError, RetryableError
from store.parts import ResultRow
from worker.pipeline.ticket import Ticket

_log = structlog.get_logger()


class Stage:
    """Runs `work` on each ticket and hands it to `then`.

    A full queue holds the stage before it back, so memory is bounded. What goes wrong with an
    item ends that item with a quarantined row; what is wrong with the world ends its run; no
    exception ends a thread.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Ticket], None],
        then: Callable[[Ticket], None],
        *,
        threads: int,
        depth: int,
    ) -> None:
        self.name = name
        self._work = work
        self._then = then
        self._queue: queue.Queue[Ticket | None] = queue.Queue(depth)
        self._load = 0
        self._count = threading.Lock()
        self._threads = [
            threading.Thread(target=self._loop, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def load(self) -> int:
        """Tickets here: waiting, being worked on, or being handed to the next stage."""
        return self._load

    def put(self, ticket: Ticket) -> None:
        """Hand a ticket over; waits while the queue is full."""
        with self._count:
            self._load += 1
        self._queue.put(ticket)

    def close(self) -> None:
        """End the threads once they have emptied the queue."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _loop(self) -> None:
        while (ticket := self._queue.get()) is not None:
            if handled(self.name, ticket, self._work):
                self._hand_over(ticket)
            with self._count:
                self._load -= 1

    def _hand_over(self, ticket: Ticket) -> None:
        try:
            self._then(ticket)
        except Exception as error:
            # It cannot fail; but a ticket that got lost would keep its run waiting for ever.
            _log.exception("unexpected", job=ticket.run.unit.job, stage=self.name)
            ticket.run.fail(RetryableError(f"{self.name}: {error!r}"))
            ticket.leave(None)


def handled(stage: str, ticket: Ticket, work: Callable[[Ticket], None]) -> bool:
    """Run `work` on a ticket; False if the ticket ended here."""
    run = ticket.run
    if run.stopping:
        ticket.leave(None)
        return False
    begun = time.perf_counter()
    try:
        work(ticket)
    except BadInputError as error:
        quarantine(ticket, error.reason, str(error))
    except (RetryableError, FatalError, MemoryError) as error:
        run.fail(RetryableError("out of memory") if isinstance(error, MemoryError) else error)
        ticket.leave(None)
    except Exception as error:
        # A fault of ours that one item brings out must not cost its neighbours their result.
        _log.exception("unexpected", job=run.unit.job, shard=run.unit.hold.shard, stage=stage)
        quarantine(ticket, "internal_error", f"{stage}: {type(error).__name__}: {error}")
    else:
        run.moved(stage, time.perf_counter() - begun)
        return True
    run.moved(stage, time.perf_counter() - begun)
    return False


def quarantine(ticket: Ticket, reason: str, message: str) -> None:
    """End a ticket with rows that say why it has no result."""
    ticket.leave(
        [
            ResultRow.quarantined(
                ticket.item,
                task=model.task,
                model=model.name,
                reason=f"{reason}: {message}",
                size=ticket.size,
            )
            for model in ticket.run.unit.model.members
        ]
    )
