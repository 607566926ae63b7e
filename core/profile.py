"""What a worker can run, and what a job was planned to run on."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, Self

from core.errors import FatalError, UsageError


def _read(fields: Mapping[str, type], data: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The named fields of `data`; what a newer version added beside them is passed over."""
    missing = [name for name in fields if name not in data]
    if missing:
        raise FatalError(f"{what} lacks {', '.join(missing)}")
    for name, kind in fields.items():
        # `type is`, not isinstance: JSON's true would pass for a batch size of 1.
        if type(data[name]) is not kind:
            raise FatalError(f"{what}: {name} must be {kind.__name__}, not {data[name]!r}")
    return {name: data[name] for name in fields}


def _joined(version: str, numerics: int) -> str:
    """Write an engine's version with the revision of its numerics: `3.2.2+r2`.

    Workers of an earlier release compare versions and know nothing of revisions: what they read
    has to differ in the version, or they would take shards whose bytes they can't make. Revision
    1 is what they run, so it is written as they write it.
    """
    return version if numerics == 1 else f"{version}+r{numerics}"


_JOINED = re.compile(r"(?P<version>.+)\+r(?P<numerics>[1-9][0-9]*)", re.DOTALL)


def _split(values: dict[str, Any]) -> dict[str, Any]:
    """Take the version apart that `_joined` wrote."""
    if (found := _JOINED.fullmatch(values["version"])) is None:
        return values
    return {**values, "version": found["version"], "numerics": int(found["numerics"])}


def _flat(thing: "EngineOffer | ExecutionProfile") -> dict[str, Any]:
    """Return the fields as plain values, the revision joined to the version."""
    values = dataclasses.asdict(thing)
    values["version"] = _joined(thing.version, values.pop("numerics"))
    return values


@dataclasses.dataclass(frozen=True, slots=True)
class EngineOffer:
    """One way in which a worker can run a network.

    Two offers are equal exactly when the same network gives the same bits on both, so every
    field names something that changes numerics: `device` is a class of devices
    (`cpu-avx512`, `cpu-avx2`), never one machine. `numerics` counts the revisions of how Regatta
    runs networks on that engine: it goes up when the same engine gives other bits than before.
    """

    engine: str
    version: str
    device: str
    precision: str
    numerics: int = 1

    @property
    def key(self) -> str:
        """One word for it, as measured rates and verdicts are kept by."""
        version = _joined(self.version, self.numerics)
        return f"{self.engine}/{version}/{self.device}/{self.precision}"

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names; the revision is part of the version."""
        return _flat(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The offer that `to_json` wrote; unknown keys are ignored.

        Raises:
            FatalError: a field is missing or of the wrong type.
        """
        return cls(**_split(_read(_OFFER_FIELDS, data, "engine offer")))


@dataclasses.dataclass(frozen=True, slots=True)
class ExecutionProfile:
    """Everything that decides a job's bytes besides its inputs, model and options.

    It is frozen when the job is planned: within one profile every rerun of a shard writes the
    same bytes. `batch_size` is the size of every batch (a partial one is padded), `threads` the
    math threads of each predictor, `jpeg_quality` (1..100) that of annotated pictures, `numerics`
    the revision that an offer names.

    Raises:
        UsageError: a number is out of its range.
    """

    engine: str
    version: str
    device: str
    precision: str
    batch_size: int
    threads: int
    jpeg_quality: int
    numerics: int = 1

    def __post_init__(self) -> None:
        """Refuse what no worker could run."""
        if self.batch_size < 1:
            raise UsageError(f"the batch size must be at least 1, not {self.batch_size}")
        if self.threads < 1:
            raise UsageError(f"the number of threads must be at least 1, not {self.threads}")
        if not 1 <= self.jpeg_quality <= 100:  # noqa: PLR2004 - the scale of JPEG encoders
            raise UsageError(f"the JPEG quality must be 1 to 100, not {self.jpeg_quality}")

    @classmethod
    def of(
        cls, offer: EngineOffer, *, batch_size: int, threads: int = 1, jpeg_quality: int
    ) -> Self:
        """The profile of a job on this offer.

        Raises:
            UsageError: a number is out of its range.
        """
        return cls(
            offer.engine,
            offer.version,
            offer.device,
            offer.precision,
            batch_size,
            threads,
            jpeg_quality,
            numerics=offer.numerics,
        )

    @property
    def offer(self) -> EngineOffer:
        """What a worker has to offer to take this job's shards."""
        return EngineOffer(
            self.engine, self.version, self.device, self.precision, numerics=self.numerics
        )

    def runs_on(self, offer: EngineOffer) -> bool:
        """Whether a worker with `offer` gives the bytes that this profile promises."""
        return offer == self.offer

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names; the revision is part of the version."""
        return _flat(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The profile that `to_json` wrote; unknown keys are ignored.

        Among those are `networks`, the ways that a job froze for its networks (`store.profiles`).

        Raises:
            FatalError: a field is missing or of the wrong type.
            UsageError: a number is out of its range.
        """
        return cls(**_split(_read(_PROFILE_FIELDS, data, "execution profile")))


DEFAULT_BATCH = 8
_CPU_THREADS = 1  # several one-threaded predictors beat one with many threads


def best_offer(offers: Iterable[EngineOffer]) -> EngineOffer | None:
    """Return the offer that most of the fleet's power likely stands behind: a GPU before a CPU.

    Of offers that differ in nothing else, it is the one of the newest numerics.
    """
    return min(offers, key=_preference, default=None)


def _preference(offer: EngineOffer) -> tuple[bool, str, str, str, str, int]:
    is_cpu = offer.device.startswith("cpu")
    kind = (offer.device, offer.version, offer.engine, offer.precision)
    return (is_cpu, *kind, -offer.numerics)


def profile_for(
    offer: EngineOffer, *, batch_size: int | None, jpeg_quality: int
) -> ExecutionProfile:
    """Return what a job on this offer runs with; a `batch_size` of None is chosen here."""
    return ExecutionProfile.of(
        offer,
        batch_size=batch_size or DEFAULT_BATCH,
        threads=_CPU_THREADS,
        jpeg_quality=jpeg_quality,
    )


_OFFER_FIELDS: dict[str, type] = {"engine": str, "version": str, "device": str, "precision": str}
_PROFILE_FIELDS: dict[str, type] = {
    **_OFFER_FIELDS,
    "batch_size": int,
    "threads": int,
    "jpeg_quality": int,
}
