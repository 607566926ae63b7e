"""Whether a network's faster ways give the numbers of the plain one.

An engine's fast kernels may be wrong, and nobody knows the next one that is. So a network runs in
another way than the plain one only after both were compared on pictures, through the model's own
preprocessing: raw outputs, and what the model makes of them. Two answers that say nothing are
alike in every way, so that a picture on which nothing is found proves nothing.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from core.errors import RegattaError
from core.ways import Way
from worker.likeness import LIMITS, finds_something, raw_differences, result_differences
from worker.network import Network, Pixels
from worker.predictors.protocol import OutOfMemoryError, Predictor
from worker.rehearsal import Rehearsal, Take

SECONDS = 30.0
"""How long a network's comparison may take; a network that needs longer runs plain."""

_LOOK_SECONDS = 0.2
_TELLING = 4  # pictures with results that suffice
_MOST_LOOKED_AT = 16  # pictures, if they hold nothing

Load = Callable[[str, Way], Predictor]
"""Loads the network that has a role in the model, in a way."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing: the way that is right and fast, or None if nothing was proved.

    `why` says it in words; `report` has the figures, as the model's card keeps them.
    """

    way: Way | None
    why: str
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared:
    """A network to be compared: its `role` in the model, and the ways that may be right.

    `rows` says that its raw outputs are rows of things found, whose order rounding may change:
    then only the results decide. `batch_size` is how many inputs a batch of a job has.
    """

    role: str
    ways: Sequence[Way]
    rows: bool
    batch_size: int
    threshold: float


def compare(
    what: Compared,
    rehearsal: Rehearsal,
    networks: Mapping[str, Network],
    load: Load,
    pictures: Iterable[Pixels],
    *,
    seconds: float,
    check: Callable[[], None],
) -> Comparison:
    """Compare a network's ways, the fastest first, with the plain one, until one is right.

    It takes `seconds` at most. A run that is under way by then cannot be stopped; it ends in a
    thread of its own, and frees what it had loaded. `check` is called now and then; what it raises
    ends the wait.

    Raises:
        RegattaError: the network cannot be loaded plainly, or a picture cannot be had.
    """
    trial = _Trial(what, rehearsal, networks, load, pictures)
    thread = threading.Thread(target=trial.run, name="comparison", daemon=True)
    begun = time.monotonic()
    thread.start()
    try:
        while thread.is_alive() and time.monotonic() < begun + seconds:
            check()
            thread.join(min(_LOOK_SECONDS, seconds))
    except BaseException:
        trial.give_up()
        raise
    took = round(time.monotonic() - begun, 1)
    if thread.is_alive():
        trial.give_up()
        return Comparison(None, f"not compared within {seconds:g} s", {"seconds": took})
    if trial.error is not None:
        raise trial.error
    assert trial.result is not None
    return replace(trial.result, report={"seconds": took, **trial.result.report})


class _Trial:
    """One comparison, in a thread that whoever waits for it may leave behind."""

    def __init__(
        self,
        what: Compared,
        rehearsal: Rehearsal,
        networks: Mapping[str, Network],
        load: Load,
        pictures: Iterable[Pixels],
    ) -> None:
        self.result: Comparison | None = None
        self.error: RegattaError | None = None
        self._what = what
        self._rehearsal = rehearsal
        self._networks = networks
        self._load = load
        self._pictures = pictures
        self._given_up = threading.Event()
        self._loaded: list[Predictor] = []
        self._plain: dict[str, Predictor] = {}

    def run(self) -> None:
        try:
            self.result = self._compared()
        except OutOfMemoryError as error:
            self.result = Comparison(None, f"no memory for a comparison: {error}")
        except RegattaError as error:
            self.error = error
        except Exception as error:
            _log.exception("unexpected", stage="comparison")
            self.error = RegattaError(f"unexpected: {type(error).__name__}: {error}")
        finally:
            for predictor in self._loaded:
                predictor.close()

    def give_up(self) -> None:
        self._given_up.set()

    def _compared(self) -> Comparison:
        self._plain = {role: self._loads(role, Way.PLAIN) for role in self._networks}
        takes = self._plain_takes()
        telling = [(image, take) for image, take, tells in takes if tells]
        looked_at = {"pictures": len(takes), "with_results": len(telling)}
        if not telling:
            return Comparison(None, f"nothing was found on {len(takes)} pictures", looked_at)
        tried: dict[str, Any] = {}
        for way in self._what.ways:
            wrong, differences = self._try(way, telling)
            tried[way.value] = {"differences": _rounded(differences), "wrong": wrong}
            if wrong is None:
                return Comparison(way, "compared", {**looked_at, "tried": tried})
        why = "; ".join(f"{way}: {found['wrong']}" for way, found in tried.items())
        return Comparison(Way.PLAIN, why, {**looked_at, "tried": tried})

    def _loads(self, role: str, way: Way) -> Predictor:
        predictor = self._load(role, way)
        self._loaded.append(predictor)
        return predictor

    def _plain_takes(self) -> list[tuple[Pixels, Take, bool]]:
        """Run pictures plainly until enough of them tell something."""
        takes: list[tuple[Pixels, Take, bool]] = []
        telling = 0
        for image in self._pictures:
            take = self._rehearsal.take(image, self._plain)
            tells = take.answer is not None and finds_something(take.answer, self._what.threshold)
            takes.append((image, take, tells))
            telling += tells
            if telling >= _TELLING or len(takes) >= _MOST_LOOKED_AT or self._given_up.is_set():
                break
        return takes

    def _try(
        self, way: Way, telling: Sequence[tuple[Pixels, Take]]
    ) -> tuple[str | None, dict[str, float]]:
        """Say what is wrong with a way, None if nothing is; and the largest differences."""
        worst: dict[str, float] = {}
        try:
            predictor = self._loads(self._what.role, way)
            predictors = {**self._plain, self._what.role: predictor}
            for image, plain in telling:
                if self._given_up.is_set():
                    return "given up", worst
                _raise(worst, self._differences(plain, self._rehearsal.take(image, predictors)))
            _raise(worst, self._in_a_batch(telling[0][0], predictors))
        except OutOfMemoryError:
            raise
        except RegattaError as error:
            return f"fails: {error}", worst
        over = [f"{kind} {worst[kind]:.3g}" for kind in worst if worst[kind] > self._limit(kind)]
        return (f"differs: {', '.join(over)}" if over else None), worst

    def _limit(self, kind: str) -> float:
        is_order = self._what.rows and kind in {"raw", "labels"}
        return float("inf") if is_order else LIMITS[kind]

    def _in_a_batch(self, image: Pixels, predictors: Mapping[str, Predictor]) -> dict[str, float]:
        """Compare a whole batch, too: kernels are chosen by its size."""
        sizes = {self._what.role: self._what.batch_size}
        if self._what.batch_size == 1:
            return {}
        plain = self._rehearsal.take(image, self._plain, sizes)
        return self._differences(plain, self._rehearsal.take(image, predictors, sizes))

    def _differences(self, plain: Take, take: Take) -> dict[str, float]:
        role = self._what.role
        found: dict[str, float] = {}
        for mine, theirs in zip(plain.outputs[role], take.outputs.get(role, ()), strict=False):
            _raise(found, raw_differences(mine, theirs))
        if plain.answer is None or take.answer is None:  # only one of them can be read
            return {**found, "boxes": float("inf")}
        return found | result_differences(plain.answer, take.answer, self._what.threshold)


def _raise(worst: dict[str, float], found: Mapping[str, float]) -> None:
    for kind, value in found.items():
        worst[kind] = max(worst.get(kind, 0.0), value)


def _rounded(differences: Mapping[str, float]) -> dict[str, float | None]:
    """As JSON can hold them: None where they have no size, as where shapes differ."""
    return {
        kind: float(f"{value:.3g}") if math.isfinite(value) else None
        for kind, value in differences.items()
    }
