"""What a run's pictures are being put through right now, and until when each step may take."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from core.items import ItemRef

_MEGAPIXEL = 1_000_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a step of a picture may take: `base`, and `per_megapixel` of its size.

    A batch in a predictor may take `batch`: an engine may compile something first.
    """

    base: float = 60.0
    per_megapixel: float = 1.0
    batch: float = 300.0

    def seconds(self, pixels: int) -> float:
        """Return the seconds for a step of a picture with so many pixels."""
        return self.base + self.per_megapixel * pixels / _MEGAPIXEL

    def times(self, factor: float) -> "Patience":
        """Return a patience so many times as long; a batch's stays."""
        return replace(self, base=self.base * factor, per_megapixel=self.per_megapixel * factor)


DEFAULT_PATIENCE = Patience()


@dataclass(slots=True, eq=False)
class Step:
    """One step under way: `items` are worked on until `until` (monotonic), or waited for if None.

    One thread owns it; the watchdog reads it.
    """

    name: str
    items: tuple[ItemRef, ...]
    until: float | None
    _patience: Patience

    def pause(self) -> None:
        """Stop the clock: the picture waits for others."""
        self.until = None

    def begin(self, pixels: int) -> None:
        """Start the clock anew, for a picture with so many pixels."""
        self.until = time.monotonic() + self._patience.seconds(pixels)


class Steps:
    """One run's steps under way. Shared by all stages' threads."""

    def __init__(self, patience: Patience = DEFAULT_PATIENCE) -> None:
        self._patience = patience
        self._steps: set[Step] = set()
        self._lock = threading.Lock()

    @contextmanager
    def picture(self, name: str, item: ItemRef, pixels: int) -> Iterator[Step]:
        """Watch over a step of one picture; `pixels` are 0 as long as nobody knows its size."""
        until = time.monotonic() + self._patience.seconds(pixels)
        with self._watched(Step(name, (item,), until, self._patience)) as step:
            yield step

    @contextmanager
    def batch(self, items: Sequence[ItemRef]) -> Iterator[Step]:
        """Watch over a batch in a predictor."""
        until = time.monotonic() + self._patience.batch
        with self._watched(Step("predict", tuple(items), until, self._patience)) as step:
            yield step

    @contextmanager
    def _watched(self, step: Step) -> Iterator[Step]:
        with self._lock:
            self._steps.add(step)
        try:
            yield step
        finally:
            with self._lock:
                self._steps.discard(step)

    def overdue(self, now: float) -> list[Step]:
        """Return the steps that take longer than they may."""
        with self._lock:
            return [step for step in self._steps if step.until is not None and step.until < now]

    def are_in_time(self, now: float) -> bool:
        """Return whether at least one step is under way within its time."""
        with self._lock:
            return any(step.until is not None and now <= step.until for step in self._steps)
