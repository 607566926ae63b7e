"""The notifier: tells those who asked for it that a job has ended, for days if it must.

A receiver that hangs holds up nobody else: several are told at once, each within a time limit, and
only a few of these at any one receiver.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog

from core.notices import LEASE_SECONDS, delay_after
from core.repeats import Repeats
from scheduler.webhooks import Outcome, Rules, tell
from store import notifications
from store.database import Database
from store.notifications import Notice

_LOOK_SECONDS = 0.5
_MOST = 32
_MOST_PER_RECEIVER = 4

_log = structlog.get_logger()

T = TypeVar("T")


class Notifier:
    """Sends what is due: until stopped (`run`), or one turn at a time (`tick`).

    Any number may run at once. `jitter` returns numbers between 0 and 1.
    """

    def __init__(
        self,
        db: Database,
        owner: str,
        rules: Rules,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._db = db
        self._owner = owner
        self._rules = rules
        self._jitter = jitter
        self._repeats = Repeats()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="notifications")
        self._sending: dict[asyncio.Task[None], Notice] = {}

    def tick(self) -> int:
        """Send what is due and wait for what comes of it; return how many were tried."""
        return asyncio.run(self._tick())

    def run(self, stop: threading.Event) -> None:
        """Send what is due until `stop` is set; what is being sent then is left to others."""
        asyncio.run(self._run(stop))

    async def _tick(self) -> int:
        _look_up_in_threads()
        begun = await self._begin()
        await asyncio.gather(*self._sending)
        return begun

    async def _run(self, stop: threading.Event) -> None:
        _look_up_in_threads()
        while not stop.is_set():
            try:
                await self._begin()
            except Exception as error:
                if (times := self._repeats.due(type(error).__name__)) is not None:
                    _log.warning("cannot look for notifications", error=str(error), times=times)
            await asyncio.sleep(_LOOK_SECONDS)
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _begin(self) -> int:
        """Lease what is due and begin to send it; return how many."""
        free = _MOST - len(self._sending)
        if not free:
            return 0
        counts = Counter(notice.receiver for notice in self._sending.values())
        busy = [name for name, number in counts.items() if number >= _MOST_PER_RECEIVER]
        leased = await self._in_thread(self._lease, free, busy)
        for notice in leased:
            task = asyncio.create_task(self._send(notice))
            self._sending[task] = notice
            task.add_done_callback(self._sending.pop)
        return len(leased)

    async def _in_thread(self, work: Callable[..., T], *values: Any) -> T:
        """Use the database in its own thread: the loop's are those that look up names."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *values)

    def _lease(self, limit: int, busy: list[str]) -> list[Notice]:
        # It is asked twice a second: whoever only looks keeps nobody from writing.
        if not self._db.read(lambda s: notifications.any_due(s, now=self._db.now(s), busy=busy)):
            return []
        return self._db.write(
            lambda s: notifications.lease_due(
                s,
                self._owner,
                now=self._db.now(s),
                lease_seconds=LEASE_SECONDS,
                limit=limit,
                busy=busy,
                most=_MOST_PER_RECEIVER,
            )
        )

    async def _send(self, notice: Notice) -> None:
        try:
            outcome = await tell(notice, self._rules)
        except asyncio.CancelledError:
            self._db.write(lambda s: notifications.hand_back(s, notice))
            raise
        except Exception as error:
            _log.exception("unexpected; will try again", notification=notice.id)
            outcome = Outcome(f"unexpected: {type(error).__name__}")
        try:
            await self._in_thread(self._note, notice, outcome)
        except Exception as error:  # it is sent again once the lease has lapsed
            _log.warning("cannot note a notification", id=notice.id, error=str(error))

    def _note(self, notice: Notice, outcome: Outcome) -> None:
        about = {"job": notice.job, "notification": notice.id, "receiver": notice.receiver}
        error = outcome.error
        if error is None:
            self._db.write(lambda s: notifications.delivered(s, notice, now=self._db.now(s)))
            _log.info("told", **about)
            return
        _log.warning("not told", **about, error=error, tries=notice.tries)
        if outcome.is_gone:
            self._db.write(
                lambda s: notifications.switch_off(s, notice, error, now=self._db.now(s))
            )
            return
        delay = delay_after(notice.tries, self._jitter(), outcome.wait)
        if delay is None:
            self._db.write(lambda s: notifications.give_up(s, notice, error, now=self._db.now(s)))
            return
        self._db.write(
            lambda s: notifications.postpone(s, notice, error, next_at=self._db.now(s) + delay)
        )


def _look_up_in_threads() -> None:
    """Let as many names be looked up at once as receivers are told: a lookup may hang."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_MOST))
