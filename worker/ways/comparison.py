"""Checks whether a network's faster ways give the same numbers as the plain one.

An engine's fast kernels may be wrong, and nobody knows which will be next. So a network runs in a
way other than the plain one only after both have been compared on pictures, through the model's own
preprocessing: raw outputs, and what the model makes of them. Empty answers are always alike, so a
picture on which nothing is found proves nothing.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import RegattaError
from core.ways import Way
from worker.engines.protocol import OutOfMemoryError, Predictor
from worker.networks.network import Network, Pixels
from worker.ways.likeness import LIMITS, finds_something, raw_differences, result_differences
from worker.ways.rehearsal import Rehearsal, Take

SECONDS = 30.0
"""How long a network's comparison may take; a network that needs longer runs plainly."""

_PLAIN_SHARE = 1 / 3  # of the time; after that, one picture with results has to suffice
_TELLING = 4  # pictures with results are enough
MOST_LOOKED_AT = 16  # pictures, if nothing is found on them

Load = Callable[[str, Way], Predictor]
"""Loads the network with a given role in the model, to run in a given way."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing: the fastest way that is right, or None if nothing was proved.

    `why` explains it in words; `report` has the figures, as the model's card stores them.
    """

    way: Way | None
    why: str
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared:
    """A network to be compared: its `role` in the model, and the ways that may be right.

    `rows` says that its raw outputs are rows of detections, whose order may change by rounding:
    then only the results are compared. `batch_size` is that of the job's batches.
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
    seconds: float = SECONDS,
    trying: Callable[[Way], None] = lambda _: None,
) -> Comparison:
    """Compare a network's ways, fastest first, with the plain one, until one is right.

    If time is short, it makes do with fewer pictures and without a full batch, but nothing stops it
    from exceeding `seconds`. `trying` is called with each way before anything runs in it.

    Raises:
        RegattaError: the network can't be loaded plainly, or a picture can't be fetched.
    """
    trial = _Trial(what, rehearsal, networks, load, pictures, seconds, trying)
    try:
        found = trial.compared()
    finally:
        trial.close()
    return replace(found, report={"seconds": round(trial.elapsed, 1), **found.report})


class _Trial:
    """One comparison, and the predictors that it loaded."""

    def __init__(
        self,
        what: Compared,
        rehearsal: Rehearsal,
        networks: Mapping[str, Network],
        load: Load,
        pictures: Iterable[Pixels],
        seconds: float,
        trying: Callable[[Way], None],
    ) -> None:
        self._begun = time.monotonic()
        self._seconds = seconds
        self._slowest = 0.0  # of the plain runs of a picture, in seconds
        self._what = what
        self._rehearsal = rehearsal
        self._networks = networks
        self._load = load
        self._pictures = pictures
        self._trying = trying
        self._loaded: list[Predictor] = []
        self._plain: dict[str, Predictor] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the comparison began."""
        return time.monotonic() - self._begun

    def close(self) -> None:
        for predictor in self._loaded:
            predictor.close()

    def compared(self) -> Comparison:
        self._plain = {role: self._loads(role, Way.PLAIN) for role in self._networks}
        takes, telling = self._plain_takes()
        looked_at = {"pictures": len(takes), "with_results": telling}
        tried: dict[str, Any] = {}
        lacking = None
        for way in self._what.ways:
            self._trying(way)
            try:
                wrong, differences = self._try(way, takes)
            except OutOfMemoryError as error:
                lacking = str(error)
                continue
            tried[way.value] = {"differences": _rounded(differences), "wrong": wrong}
            if wrong is None and not telling:
                why = f"nothing was found on {_pictures(len(takes))}"
                return Comparison(None, why, {**looked_at, "tried": tried})
            if wrong is None:
                why = f"compared on {_pictures(telling)}: {_said(differences)}"
                return Comparison(way, why, {**looked_at, "tried": tried})
        report = {**looked_at, "tried": tried}
        if lacking is not None:
            return Comparison(None, f"no memory for a comparison: {lacking}", report)
        why = "; ".join(f"{way}: {found['wrong']}" for way, found in tried.items())
        return Comparison(Way.PLAIN, why, report)

    def _loads(self, role: str, way: Way) -> Predictor:
        predictor = self._load(role, way)
        self._loaded.append(predictor)
        return predictor

    def _plain_takes(self) -> tuple[list[tuple[Pixels, Take]], int]:
        """Run pictures plainly until enough have results; return all, and how many have results."""
        takes: list[tuple[Pixels, Take]] = []
        telling = 0
        for image in self._pictures:
            begun = time.monotonic()
            try:
                take = self._rehearsal.take(image, self._plain)
            except OutOfMemoryError:
                take = Take(None, {})
            self._slowest = max(self._slowest, time.monotonic() - begun)
            takes.append((image, take))
            telling += take.answer is not None and finds_something(
                take.answer, self._what.threshold
            )
            late = telling and self.elapsed > self._seconds * _PLAIN_SHARE
            if late or telling >= _TELLING or len(takes) >= MOST_LOOKED_AT:
                break
        return takes, telling

    def _try(
        self, way: Way, takes: Sequence[tuple[Pixels, Take]]
    ) -> tuple[str | None, dict[str, float]]:
        """Return what is wrong with a way (None if nothing is), and the largest differences."""
        worst: dict[str, float] = {}
        try:
            predictor = self._loads(self._what.role, way)
            predictors = {**self._plain, self._what.role: predictor}
            for image, plain in takes:
                _keep_largest(
                    worst, self._differences(plain, self._rehearsal.take(image, predictors))
                )
            for image, _ in takes[-1:]:  # which has results, if any has
                _keep_largest(worst, self._in_a_batch(image, predictors))
        except OutOfMemoryError:
            raise
        except RegattaError as error:
            return f"fails: {error}", worst
        over = {kind: value for kind, value in worst.items() if value > LIMITS[kind]}
        return (f"differs: {_said(over)}" if over else None), worst

    def _in_a_batch(self, image: Pixels, predictors: Mapping[str, Predictor]) -> dict[str, float]:
        """Compare a full batch too, if time allows, since kernels are chosen by batch size."""
        size = self._what.batch_size
        if size == 1 or self.elapsed + 2 * size * self._slowest > self._seconds:
            return {}
        sizes = {self._what.role: size}
        plain = self._rehearsal.take(image, self._plain, sizes)
        return self._differences(plain, self._rehearsal.take(image, predictors, sizes))

    def _differences(self, plain: Take, take: Take) -> dict[str, float]:
        # The network gets the same asks whatever it answers: only later networks depend on that.
        runs = [one.outputs.get(self._what.role, ()) for one in (plain, take)]
        found: dict[str, float] = {}
        for mine, theirs in zip(*runs, strict=False) if not self._what.rows else ():
            _keep_largest(found, raw_differences(mine, theirs))
        if plain.answer is None or take.answer is None:
            unlike = plain.answer is not None or take.answer is not None
            return {**found, "boxes": float("inf")} if unlike else found
        return found | result_differences(plain.answer, take.answer, self._what.threshold)


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"


def _keep_largest(worst: dict[str, float], found: Mapping[str, float]) -> None:
    for kind, value in found.items():
        worst[kind] = max(worst.get(kind, 0.0), value)


def _said(differences: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {value:.3g}" for kind, value in differences.items())


def _rounded(differences: Mapping[str, float]) -> dict[str, float | None]:
    """Return differences as JSON can hold them: None if not finite, as when shapes differ."""
    return {
        kind: float(f"{value:.3g}") if math.isfinite(value) else None
        for kind, value in differences.items()
    }
