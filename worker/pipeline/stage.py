"""A pipeline stage: a bounded queue and the threads that work on it."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog

from core.errors import BadInputError, FatalError, RetryableError
from store.file_errors import no_room
from worker.pipeline.flow import Ticket

Given = TypeVar("Given")
Made = TypeVar("Made")

_log = structlog.get_logger()


class Stage(Generic[Given, Made]):
    """Runs `work` on what it is given for each picture, and hands the result to `then`.

    A full queue holds back the stage before it, so memory is bounded. An error in a picture
    quarantines that picture; an error in the environment ends its run; no exception ends a thread.
    The watchdog sees how long each picture takes, unless the work `is_waiting` for a store, which
    has time limits of its own.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Ticket, Given], Made],
        then: Callable[[Ticket, Made], None],
        *,
        threads: int,
        depth: int,
        is_waiting: bool = False,
    ) -> None:
        self.name = name
        self._is_waiting = is_waiting
        self._work = work
        self._then = then
        self._queue: queue.Queue[tuple[Ticket, Given] | None] = queue.Queue(depth)
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
        """The pictures here: waiting, being worked on, or being handed to the next stage."""
        return self._load

    def put(self, ticket: Ticket, given: Given) -> None:
        """Queue a picture, waiting while the queue is full."""
        with self._count:
            self._load += 1
        self._queue.put((ticket, given))

    def close(self) -> None:
        """End the threads once they have emptied the queue."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _loop(self) -> None:
        while (entry := self._queue.get()) is not None:
            ticket, given = entry
            made = self._made(ticket, given)
            del entry, given  # pixels and files are large, and the next ones may be long in coming
            if made:
                self._hand_over(ticket, made.pop())
            del ticket, made
            with self._count:
                self._load -= 1

    def _made(self, ticket: Ticket, given: Given) -> list[Made]:
        """Run the work on a picture; return an empty list if the picture ended here."""
        run = ticket.run
        if run.stopping:
            ticket.drop()
            return []
        begun, waited = time.perf_counter(), ticket.waited
        made: list[Made] = []
        try:
            with self._watched(ticket):
                made.append(self._work(ticket, given))
        except BadInputError as error:
            ticket.quarantine(error.reason, str(error))
        except (RetryableError, FatalError, MemoryError) as error:
            run.fail(RetryableError("out of memory") if isinstance(error, MemoryError) else error)
            ticket.drop()
        except OSError as error:
            if (full := no_room("this machine", error)) is None:
                self._quarantine(ticket, error)
            else:
                run.fail(full)
                ticket.drop()
        except Exception as error:
            self._quarantine(ticket, error)
        # Who waits for memory isn't busy: what takes so long is the work of others.
        run.moved(self.name, time.perf_counter() - begun - (ticket.waited - waited))
        return made

    def _quarantine(self, ticket: Ticket, error: Exception) -> None:
        # A bug that one picture brings out must not cost its neighbours their results.
        run = ticket.run
        _log.exception(
            "unexpected",
            job=run.unit.job,
            shard=run.unit.hold.shard,
            stage=self.name,
            item=ticket.item.key,
        )
        ticket.quarantine("internal_error", f"{self.name}: {type(error).__name__}: {error}")

    @contextmanager
    def _watched(self, ticket: Ticket) -> Iterator[None]:
        if self._is_waiting:
            yield
            return
        width, height = ticket.size or (0, 0)
        with ticket.run.steps.picture(self.name, ticket.item, width * height) as step:
            ticket.step = step
            try:
                yield
            finally:
                ticket.step = None

    def _hand_over(self, ticket: Ticket, made: Made) -> None:
        try:
            self._then(ticket, made)
        except Exception as error:
            # This shouldn't fail, but a lost ticket would keep its run waiting for ever.
            _log.exception("unexpected", job=ticket.run.unit.job, stage=self.name)
            ticket.run.fail(RetryableError(f"{self.name}: {error!r}"))
            ticket.drop()
