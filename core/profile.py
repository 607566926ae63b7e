"""What a worker can run, and what a job was planned to run on."""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

from core.batching import NetworkTraits, Shapes
from core.errors import FatalError, UsageError


def _read(
    fields: Mapping[str, type],
    data: Mapping[str, Any],
    what: str,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the named fields of `data`, ignoring what a newer version added."""
    data = {**defaults, **data}
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

    Workers of an earlier release compare versions and don't know revisions: what they read must
    differ in the version, or they would take shards whose bytes they can't make. Revision 1 is
    what they run, so it is written as they write it.
    """
    return version if numerics == 1 else f"{version}+r{numerics}"


_JOINED = re.compile(r"(?P<version>.+)\+r(?P<numerics>[1-9][0-9]*)", re.DOTALL)


def _split(values: dict[str, Any]) -> dict[str, Any]:
    """Split a version that `_joined` wrote."""
    if (found := _JOINED.fullmatch(values["version"])) is None:
        return values
    return {**values, "version": found["version"], "numerics": int(found["numerics"])}


@dataclasses.dataclass(frozen=True, slots=True)
class EngineOffer:
    """One way in which a worker can run a network.

    Two offers are equal exactly when the same network gives the same bits on both, so every
    field names something that changes numerics: `device` is a class of devices
    (`cpu-avx512`, `cpu-avx2`), never one machine. `numerics` is the revision of how Regatta runs
    networks on that engine: it goes up when the same engine gives other bits than before.
    """

    engine: str
    version: str
    device: str
    precision: str
    numerics: int = 1

    @property
    def key(self) -> str:
        """One string for the offer, under which measured rates and verdicts are kept."""
        version = _joined(self.version, self.numerics)
        return f"{self.engine}/{version}/{self.device}/{self.precision}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values by field name; the revision is part of the version."""
        values = dataclasses.asdict(self)
        values["version"] = _joined(self.version, values.pop("numerics"))
        return values

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an offer that `to_json` wrote; unknown keys are ignored.

        Raises:
            FatalError: a field is missing or of the wrong type.
        """
        return cls(**_split(_read(_OFFER_FIELDS, data, "engine offer")))


@dataclasses.dataclass(frozen=True, slots=True)
class Offered:
    """An offer, and what its worker says beside it; none of that changes bits.

    `rank` is the worker's speed on this offer relative to a CPU (1; higher is faster), measured or
    stated; None if unknown. `measured` holds the ranks of measured networks by digest, 0 for one
    that can't be run. `batch` is the batch size that suits the device, None if any does.
    """

    offer: EngineOffer
    rank: float | None = None
    batch: int | None = None
    measured: Mapping[str, float] = dataclasses.field(default_factory=dict, hash=False)

    def rank_of(self, digest: str) -> float:
        """Return how fast the network of this digest runs on the offer, as far as is known."""
        stated = self.rank
        if stated is None:
            stated = _CPU_RANK if self.offer.device.startswith("cpu") else _GPU_RANK
        return self.measured.get(digest, stated)

    def to_json(self) -> dict[str, Any]:
        """Return the offer's values and what was said beside them, as in a heartbeat."""
        beside = {"rank": self.rank, "batch": self.batch, "measured": dict(self.measured)}
        return self.offer.to_json() | {name: said for name, said in beside.items() if said}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, or a bare offer; unknown keys are ignored.

        Raises:
            FatalError: a field of the offer is missing or of the wrong type.
        """
        return cls(
            EngineOffer.from_json(data),
            rank=data.get("rank"),
            batch=data.get("batch"),
            measured=data.get("measured", {}),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkProfile:
    """What one network of a job runs on, and how: all that decides its bits besides its inputs.

    `batch_size` is the size of every batch (a partial one is padded), `threads` the math threads
    of each predictor.

    Raises:
        UsageError: a number is out of its range.
    """

    offer: EngineOffer
    batch_size: int
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse what no worker could run."""
        if self.batch_size < 1:
            raise UsageError(f"the batch size must be at least 1, not {self.batch_size}")
        if self.threads < 1:
            raise UsageError(f"the number of threads must be at least 1, not {self.threads}")


@dataclasses.dataclass(frozen=True, slots=True)
class ExecutionProfile:
    """Everything that decides a job's bytes besides its inputs, model and options.

    It is frozen when the job is planned: within one profile every rerun of a shard writes the same
    bytes. `networks` says what each network runs on, by digest. The fields before it sum that up as
    one offer (see `joint_offer`), and hold for networks that are not listed: those of jobs that an
    earlier release froze. `batch_size` is the size that was wanted, of which networks may take
    less; `jpeg_quality` (1..100) is that of annotated pictures.

    Raises:
        UsageError: a number is out of its range.
    """

    engine: str
    version: str
    device: str
    precision: str
    batch_size: int
    threads: int = 1
    jpeg_quality: int = 90
    numerics: int = 1
    networks: Mapping[str, NetworkProfile] = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuse what no worker could run."""
        NetworkProfile(self.offer, self.batch_size, self.threads)
        if not 1 <= self.jpeg_quality <= 100:  # noqa: PLR2004 - the scale of JPEG encoders
            raise UsageError(f"the JPEG quality must be 1 to 100, not {self.jpeg_quality}")

    @classmethod
    def of(
        cls,
        offer: EngineOffer,
        *,
        batch_size: int,
        threads: int = 1,
        jpeg_quality: int,
        networks: Mapping[str, NetworkProfile] = MappingProxyType({}),
    ) -> Self:
        """Return the profile of a job on this offer.

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
            networks=dict(networks),
        )

    @property
    def offer(self) -> EngineOffer:
        """What the job runs on as one offer: its networks' own, or one that nobody makes."""
        return EngineOffer(
            self.engine, self.version, self.device, self.precision, numerics=self.numerics
        )

    @property
    def offers(self) -> frozenset[EngineOffer]:
        """All offers that a worker has to make to take this job's shards."""
        return frozenset(one.offer for one in self.networks.values()) or frozenset({self.offer})

    @property
    def key(self) -> str:
        """One string for what the job runs on, under which measured rates are kept."""
        return self.offer.key

    def runs_on(self, offers: Iterable[EngineOffer]) -> bool:
        """Return whether a worker with these offers gives the bytes that this profile promises."""
        return self.offers <= set(offers)

    def to_json(self) -> dict[str, Any]:
        """Return plain values by field name; the revision is part of the version.

        `per_network` holds what each network runs on, with its offer only if the offers differ.
        (`networks` is something else: the ways that a job froze for them, see `store.profiles`.)
        """
        values: dict[str, Any] = self.offer.to_json() | {
            "batch_size": self.batch_size,
            "threads": self.threads,
            "jpeg_quality": self.jpeg_quality,
        }
        if self.networks:
            values["per_network"] = {
                digest: {
                    **(one.offer.to_json() if one.offer != self.offer else {}),
                    "batch_size": one.batch_size,
                    "threads": one.threads,
                }
                for digest, one in self.networks.items()
            }
        return values

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a profile that `to_json` wrote in this release or another; unknown keys are ignored.

        Missing numbers have their defaults; what a network lacks is taken from the job.

        Raises:
            FatalError: a field without default is missing, or one is of the wrong type.
            UsageError: a number is out of its range.
        """
        top = _read(_PROFILE_FIELDS, data, "execution profile", _DEFAULTS)
        networks = {}
        for digest, said in data.get("per_network", {}).items():
            own = _read(_NETWORK_FIELDS, said, f"execution profile of network {digest[:12]}", top)
            networks[digest] = NetworkProfile(
                EngineOffer.from_json(own), own["batch_size"], own["threads"]
            )
        return cls(**_split(top), networks=networks)


DEFAULT_BATCH = 8
_CPU_THREADS = 1  # several one-threaded predictors beat one with many threads
_CPU_RANK, _GPU_RANK = 1.0, 10.0

Choice = Mapping[str, Offered]
"""What each network of a job is to run on, by digest."""


def best_offer(offers: Iterable[Offered], digest: str = "") -> Offered | None:
    """Return the offer of the highest rank for a network.

    If ranks are equal, every process chooses the same; of offers that differ in nothing else, the
    one with the newest numerics.
    """
    return min(offers, key=lambda one: _preference(one, digest), default=None)


def _preference(offered: Offered, digest: str) -> tuple[float, bool, str, str, str, str, int]:
    offer = offered.offer
    kind = (offer.device, offer.version, offer.engine, offer.precision)
    rank = offered.rank_of(digest)
    return (-rank, offer.device.startswith("cpu"), *kind, -offer.numerics)


def best_choice(workers: Iterable[Iterable[Offered]], digests: Iterable[str]) -> Choice | None:
    """Return the best offers for some networks that a single worker makes.

    Args:
        workers: What each worker offers.
        digests: The networks.
    """
    known = tuple(digests)
    offered = [offers for each in workers if (offers := tuple(each))]
    choices = [
        {digest: min(offers, key=lambda one: _preference(one, digest)) for digest in known}
        for offers in offered
    ]
    best = min(choices, key=_choice_preference, default=None)
    if best is None:
        return None
    # What suits one device must suit the others of its class: they all take the job's shards.
    return {digest: _with_least_batch(one, offered) for digest, one in best.items()}


def _choice_preference(choice: Choice) -> tuple[float, list[Any]]:
    ranks = (one.rank_of(digest) for digest, one in choice.items())
    # The networks of a job take turns, so the time that they take together counts.
    time = sum(1 / rank if rank > 0 else math.inf for rank in ranks)
    return time, [_preference(one, digest) for digest, one in sorted(choice.items())]


def _with_least_batch(chosen: Offered, workers: Iterable[Iterable[Offered]]) -> Offered:
    batches = [one.batch for each in workers for one in each if one.offer == chosen.offer]
    return dataclasses.replace(chosen, batch=min((b for b in batches if b), default=None))


def joint_offer(offers: Iterable[EngineOffer]) -> EngineOffer:
    """Return one offer for what networks run on: theirs if there is one, else one nobody makes.

    Workers of earlier releases compare this one, and must not take a job whose networks run on
    several: at least one field then holds the values of all of them.
    """
    values = [offer.to_json() for offer in sorted(set(offers), key=lambda offer: offer.key)]
    names = values[0]
    return EngineOffer.from_json(
        {name: "+".join(dict.fromkeys(one[name] for one in values)) for name in names}
    )


def profile_on(
    choice: Choice,
    networks: Mapping[str, NetworkTraits],
    *,
    batch_size: int | None,
    jpeg_quality: int,
) -> ExecutionProfile:
    """Return what a job runs with. Batch sizes are decided here and nowhere else.

    Args:
        choice: What the job's networks run on.
        networks: What their graphs and inputs allow; empty for a job of an earlier release, whose
            workers go by the graphs themselves.
        batch_size: What a person asked for, which wins. None leaves it to the devices, or means
            one image at a time if no network of the job has inputs of one shape: padding a batch
            of many shapes would waste the work.
        jpeg_quality: The quality of annotated pictures, 1..100.

    Raises:
        UsageError: a number is out of its range.
    """
    varies = bool(networks) and all(one.shapes is Shapes.OWN for one in networks.values())
    wanted = {
        digest: batch_size or (1 if varies else one.batch or DEFAULT_BATCH)
        for digest, one in choice.items()
    }
    return ExecutionProfile.of(
        joint_offer(one.offer for one in choice.values()),
        batch_size=max(wanted.values()),
        threads=_CPU_THREADS,
        jpeg_quality=jpeg_quality,
        networks={
            digest: NetworkProfile(
                choice[digest].offer, traits.batch_size(wanted[digest]), _CPU_THREADS
            )
            for digest, traits in networks.items()
        },
    )


_OFFER_FIELDS: dict[str, type] = {"engine": str, "version": str, "device": str, "precision": str}
_NETWORK_FIELDS: dict[str, type] = {**_OFFER_FIELDS, "batch_size": int, "threads": int}
_PROFILE_FIELDS: dict[str, type] = {**_NETWORK_FIELDS, "jpeg_quality": int}
_DEFAULTS = {"threads": 1, "jpeg_quality": 90}
