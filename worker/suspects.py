"""Runs suspect shards in a process of their own, which may die without taking others along.

A shard is suspect if the process that ran it died: one of its items may be to blame, or none. It
runs again in a child process, a batch at a time; if a batch kills the child, its items are tried
one by one, and an item that has killed two children on its own is quarantined. A child that takes
too long over an item names it and ends; the worker itself may have named one, too, and then it is
convicted by one child. Each range is noted in the database before it is tried. A child that was
killed from outside, or that died before it had loaded its model, proves nothing, and the range is
tried again. A range after which the engine fails on good inputs, too, counts like one that killed
the child.
"""

import multiprocessing
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from core.errors import RegattaError, RetryableError, StaleError
from core.items import ItemRef
from core.work import WorkUnit
from store import leases
from store.database import Database
from store.parts import ResultRow
from worker.engines.protocol import SickEngineError
from worker.run import ShardRun
from worker.suspect_process import Alive, Overdue, Tried, serve

DEATHS_THAT_PROVE = 2
_KILLED_FROM_OUTSIDE = 5  # times in one run; after that the shard is tried again later
_START_SECONDS = 300.0  # for a child to load the model, in which no item has a part
_POLL_SECONDS = 0.2
_CONTROL_RUNS = 8  # of each network for each range that a child has run
_OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/proc/vmstat")
FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

# One suspect at a time, so that none is blamed for what another does to the machine's memory.
_SLOT = threading.Lock()

_log = structlog.get_logger()


class DiedError(RegattaError):
    """The child died. `proves` says whether its input may be to blame.

    `overdue` are the positions of items that took too long, if it was that.
    """

    def __init__(self, how: str, *, proves: bool, overdue: Sequence[int] = ()) -> None:
        super().__init__(how)
        self.proves = proves
        self.overdue = overdue


class Child:
    """A process that runs ranges of one shard, one at a time; used by one thread."""

    def __init__(self, unit: WorkUnit, *, stall_seconds: float) -> None:
        self._stall_seconds = stall_seconds
        self._oom_kills = _oom_kills()
        # Spawned, never forked: a fork would copy locks that other threads hold.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(unit, theirs), daemon=True)
        self._process.start()
        self._ready = False
        theirs.close()

    def rows(self, run: ShardRun, items: Sequence[ItemRef]) -> list[ResultRow]:
        """Run the items in the child and return their rows.

        Raises:
            DiedError: the child died.
            RegattaError: the run was stopped, or the child raised it.
        """
        answer = self._ask(run, list(items))
        for model, legend in answer.legends.items():
            run.note_legend(model, legend)
        return answer.rows

    def check(self, run: ShardRun, times: int) -> None:
        """Have the child run its networks so many times on good inputs.

        Raises:
            DiedError: the child died.
            RegattaError: the run was stopped, or the child raised it.
        """
        self._ask(run, times)

    def _ask(self, run: ShardRun, request: list[ItemRef] | int) -> Tried:
        try:
            if not self._ready:
                self._receive(run, _START_SECONDS)
                self._ready = True
            self._pipe.send(request)
            return self._receive(run, self._stall_seconds)
        except (EOFError, OSError) as error:
            raise self._post_mortem() from error

    def kill(self) -> None:
        """End the child."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _receive(self, run: ShardRun, patience: float) -> Tried:
        """Return the answer, waiting for `patience` seconds after the last sign of life."""
        while True:
            answer = self._next(run, patience)
            if isinstance(answer, Tried):
                return answer
            self._go_on(run)

    def _next(self, run: ShardRun, patience: float) -> Tried | Alive:
        until = time.monotonic() + patience
        while not self._pipe.poll(_POLL_SECONDS):
            self._go_on(run)
            if time.monotonic() > until:
                self._process.kill()
                raise DiedError(f"hung for {patience:g} s", proves=self._ready)
        answer: Tried | Alive | Overdue | RegattaError = self._pipe.recv()
        if isinstance(answer, RegattaError):
            raise answer
        if isinstance(answer, Overdue):
            self._process.kill()
            raise DiedError("took too long", proves=True, overdue=answer.positions)
        return answer

    @staticmethod
    def _go_on(run: ShardRun) -> None:
        run.check()
        run.moved("alone", _POLL_SECONDS)

    def _post_mortem(self) -> DiedError:
        self._process.join()
        code = self._process.exitcode or 0
        if code >= 0:
            return DiedError(f"exited with status {code}", proves=self._ready)
        name = signal.Signals(-code).name
        out_of_memory = _oom_kills() > self._oom_kills
        proves = self._ready and (out_of_memory or -code not in FROM_OUTSIDE)
        return DiedError(name + (" (out of memory)" if out_of_memory else ""), proves=proves)


def run_suspects(
    run: ShardRun, items: Sequence[ItemRef], db: Database, *, at_once: int, stall_seconds: float
) -> list[ResultRow]:
    """Return the rows of a suspect's items, with those that killed their process quarantined.

    Up to `at_once` items are tried together.

    Raises:
        RegattaError: the run was stopped or overtaken, or can't go on.
    """
    while not _SLOT.acquire(timeout=_POLL_SECONDS):
        run.check()
        run.moved("wait", _POLL_SECONDS)
    trial = _Trial(run, db, stall_seconds)
    try:
        for start in range(0, len(items), at_once):
            trial.batch(items[start : start + at_once])
        return trial.rows
    finally:
        trial.close()
        _SLOT.release()


class _Trial:
    """One suspect's run: its child, if one is alive, and what is known so far."""

    def __init__(self, run: ShardRun, db: Database, stall_seconds: float) -> None:
        self.rows: list[ResultRow] = []
        self._run = run
        self._db = db
        self._stall_seconds = stall_seconds
        self._deaths = dict(run.unit.deaths)
        self._overdue: set[int] = set()
        self._outside = 0
        self._child: Child | None = None
        self._ran = 0  # ranges that this child has run

    def batch(self, items: Sequence[ItemRef]) -> None:
        """Run items together, or one by one if one of them has killed a process."""
        rows = None
        if not any(self._deaths.get(item.index) for item in items):
            rows = self._try(items)
        if rows is None:
            rows = [row for item in items for row in self._single(item)]
        self.rows.extend(rows)

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _single(self, item: ItemRef) -> list[ResultRow]:
        while self._deaths.get(item.index, 0) < DEATHS_THAT_PROVE:
            rows = self._try([item])
            if rows is not None:
                return rows
            self._deaths[item.index] = self._deaths.get(item.index, 0) + 1
            self._note_deaths()
        if item.index in self._overdue:
            _log.error("item took too long", item=item.key)
            tries = self._deaths[item.index]
            reason = f"timed_out: it took too long {tries} times, the last time alone"
        else:
            _log.error("item killed its process", item=item.key)
            reason = f"killed_process: {DEATHS_THAT_PROVE} processes that ran it alone died"
        return [
            ResultRow.quarantined(item, task=model.task, model=model.name, reason=reason)
            for model in self._run.unit.model.members
        ]

    def _try(self, items: Sequence[ItemRef]) -> list[ResultRow] | None:
        """Run items in a child and return their rows; None if they killed it."""
        while True:
            self._run.check()
            self._note_trial(items)
            if self._child is None:
                self._child = Child(self._run.unit, stall_seconds=self._stall_seconds)
                self._ran = 0
            try:
                rows = self._child.rows(self._run, items)
            except DiedError as death:
                if self._is_convicted(items, death):
                    return None
            except SickEngineError as error:
                _log.warning("engine failed in isolated process", error=str(error))
                self.close()
                if not error.has_run:  # it was not even sound when this process began
                    raise
                if len(items) == 1:
                    self._control()
                return None
            else:
                self._ran += 1
                self._run.count_isolated(len(items))
                return rows

    def _is_convicted(self, items: Sequence[ItemRef], death: DiedError) -> bool:
        """Return whether the death of the child proves something about the items that it ran.

        Raises:
            RetryableError: children keep being killed from outside.
        """
        _log.warning("isolated process died", how=str(death), items=len(items))
        self.close()
        if len(items) == 1:
            self._overdue.update(death.overdue)
        else:
            self._suspect(death.overdue)
        if death.proves:
            return True
        self._outside += 1
        if self._outside >= _KILLED_FROM_OUTSIDE:
            raise RetryableError(f"isolated processes keep being killed: {death}") from death
        return False

    def _control(self) -> None:
        """Run good inputs only, more than were run before the engine failed.

        Raises:
            SickEngineError: it fails after a while whatever it is given.
        """
        child = Child(self._run.unit, stall_seconds=self._stall_seconds)
        try:
            child.check(self._run, _CONTROL_RUNS * (self._ran + 1))
        except DiedError as death:
            raise RetryableError(f"an isolated process died of good inputs: {death}") from death
        finally:
            child.kill()

    def _suspect(self, positions: Sequence[int]) -> None:
        """Note items that took too long among others: one trial alone is enough for each."""
        if positions:
            self._deaths = {**dict.fromkeys(positions, DEATHS_THAT_PROVE - 1), **self._deaths}
            self._note_deaths()

    def _note_trial(self, items: Sequence[ItemRef]) -> None:
        hold, start, stop = self._run.unit.hold, items[0].index, items[-1].index + 1
        self._check(self._db.write(lambda s: leases.note_trial(s, hold, start, stop)))

    def _note_deaths(self) -> None:
        hold = self._run.unit.hold
        self._check(self._db.write(lambda s: leases.note_deaths(s, hold, self._deaths)))

    @staticmethod
    def _check(noted: bool) -> None:
        if not noted:
            raise StaleError("somebody else has this shard by now")


def _oom_kills() -> int:
    """Return the kernel's count of OOM kills, in this control group if there is one."""
    for path in _OOM_COUNTERS:
        try:
            lines = Path(path).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        counts = [int(line.split()[1]) for line in lines if line.startswith("oom_kill ")]
        if counts:
            return counts[0]
    return 0
