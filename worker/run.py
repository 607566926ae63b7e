"""One run of a shard: what its pictures in flight share, and its lease keeper needs to know."""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.errors import FatalError, RegattaError, StaleError
from core.items import ItemRef
from core.ways import Way
from core.work import Directive, WorkUnit
from predictions.answer import NO_LEGEND, Legend
from store.parts import ResultRow
from worker.steps import DEFAULT_PATIENCE, Patience, Steps


class StoppedError(RegattaError):
    """The run was told to stop; `directive` says what happens to its shard."""

    def __init__(self, directive: Directive) -> None:
        super().__init__(f"stopped: {directive}")
        self.directive = directive


class ShardRun:
    """A shard's rows as they come in, and its reason to stop. Shared by all stages' threads.

    An unrenewed lease counts as lost `margin` seconds before its end, so that a run that may have
    been overtaken commits nothing. A reason to stop is final, even if the lease is renewed later:
    some pictures may have been dropped because of it.
    """

    def __init__(
        self,
        unit: WorkUnit,
        *,
        lease_seconds: float,
        margin: float,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        self.unit = unit
        self.steps = Steps(patience)
        self.moved_at = time.monotonic()
        self.cut_off = False  # whether the database has yet to answer a request to renew the lease
        self.halved_to: int | None = None  # the batch size that fitted into memory, if reduced
        self._lease_seconds = lease_seconds - margin
        self._lease_ends = self.moved_at + self._lease_seconds
        self._changed = threading.Condition()
        # By the item's index and frame.
        self._rows: dict[int, dict[int | None, Sequence[ResultRow]]] = {}
        self._legends: dict[str, Legend] = {}
        self._reason: RegattaError | None = None
        self._in_flight = 0
        self._isolated = 0
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @property
    def done(self) -> int:
        """The number of items that have rows, though perhaps not for all frames."""
        return len(self._rows) + self._isolated

    @property
    def stopping(self) -> bool:
        """Whether this run's pictures should be dropped wherever they are."""
        return self._reason_to_stop() is not None

    @property
    def lost(self) -> bool:
        """Whether the lease ended before it was renewed."""
        return isinstance(self._reason_to_stop(), StaleError)

    @property
    def seconds(self) -> Mapping[str, float]:
        """Busy seconds by stage, over all threads."""
        with self._changed:
            return {stage: round(spent, 3) for stage, spent in sorted(self._seconds.items())}

    @property
    def legends(self) -> Mapping[str, Legend]:
        """The legends of models whose pictures need one, by model name."""
        with self._changed:
            return dict(self._legends)

    def note_legend(self, model: str, legend: Legend) -> None:
        """Note a model's legend, which its pictures need beside its rows."""
        if legend != NO_LEGEND:
            with self._changed:
                self._legends[model] = legend

    def moved(self, stage: str, seconds: float) -> None:
        """Record work done, as progress for the lease and the watchdog."""
        with self._changed:
            self.moved_at = time.monotonic()
            self._seconds[stage] += seconds

    def has_moved_since(self, when: float) -> bool:
        """Return whether work was done after `when` (monotonic), or is under way in its time."""
        return self.moved_at > when or self.steps.are_in_time(time.monotonic())

    def renewed(self, since: float) -> None:
        """Note that a request made at `since` (monotonic) has renewed the lease."""
        with self._changed:
            if self._reason_to_stop() is None:
                self._lease_ends = since + self._lease_seconds

    def enter(self, window: int) -> None:
        """Wait until fewer than `window` pictures are in flight, then count one more in.

        Raises:
            RegattaError: the run is stopping; as `check`.
        """
        with self._changed:
            while self._in_flight >= window and not self.stopping:
                self._changed.wait(timeout=0.1)
            self.check()
            self._in_flight += 1

    def leave(self, item: ItemRef, frame: int | None, rows: Sequence[ResultRow] | None) -> None:
        """Count a picture out, with its rows unless it was dropped."""
        with self._changed:
            self._in_flight -= 1
            if rows is not None:
                self._rows.setdefault(item.index, {})[frame] = rows
            self._changed.notify_all()

    def fix_ways(self, ways: Mapping[str, Way]) -> None:
        """Set the ways in which networks run, by digest, before any of them runs."""
        self.unit = replace(self.unit, ways=ways)

    def count_isolated(self, items: int) -> None:
        """Count items whose rows came from an isolated process."""
        self._isolated += items

    def stop(self, directive: Directive) -> None:
        """Stop on the orders of the database or a drain; what is in flight is dropped."""
        self.fail(StoppedError(directive))

    def fail(self, error: RegattaError) -> None:
        """Stop, as the shard can't go on. The first reason stands unless a fatal one follows."""
        with self._changed:
            if self._reason_to_stop() is None or isinstance(error, FatalError):
                self._reason = error
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the reason to stop, if there is one.

        Raises:
            StoppedError: it was told to stop.
            StaleError: its lease is over.
            RegattaError: what `fail` was given.
        """
        reason = self._reason_to_stop()
        if reason is not None:
            raise reason

    def _reason_to_stop(self) -> RegattaError | None:
        with self._changed:
            if self._reason is None and time.monotonic() > self._lease_ends:
                self._reason = StaleError("the lease could not be renewed in time")
            return self._reason

    def wait(self) -> None:
        """Wait until nothing is in flight.

        Raises:
            RegattaError: as `check`.
        """
        with self._changed:
            while self._in_flight:
                self._changed.wait(timeout=0.5)
            self.check()

    def rows(self, items: Sequence[ItemRef]) -> list[ResultRow]:
        """Wait for the rows of all items that were let in, and return them in listing order.

        An item's own row comes first, followed by those of its frames in order.

        Raises:
            RegattaError: as `check`; nothing is in flight by then.
        """
        self.wait()
        with self._changed:
            return [
                row
                for item in items
                for _, rows in sorted(self._rows[item.index].items(), key=_by_frame)
                for row in rows
            ]


def _by_frame(entry: tuple[int | None, object]) -> int:
    return -1 if entry[0] is None else entry[0]
