"""What a worker is given to do, and what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.errors import FatalError
from core.kinds import ArtefactRole, ShardKind
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile
from core.sources import Source
from core.ways import Way


@dataclass(frozen=True, slots=True)
class Hold:
    """A claim on a shard: who runs it as which attempt. Every write names it."""

    shard: int
    attempt: int


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """A claimed shard with everything that its run depends on.

    Its items are the rows `start:stop` of the item manifest at `items_key` under `output`, and lie
    in `sources`, by their prefixes. What it makes is named after `part`; `spec` holds what its kind
    needs to know besides the items. `deaths` says how often each item, by its position in the
    listing, killed an isolated process alone. `previous_part` is the committed part of an earlier
    generation: only what did not succeed there is run again. `frozen_profile` is None for kinds
    that need no engine. `profile_number` is the number of profiles that the job had before this
    one; `ways` says how its networks run, by digest, as far as that is frozen. `listed` is how many
    items the job has so far. `again` are the positions of the items that a retry runs, None for all
    that did not succeed.
    """

    hold: Hold
    job: str
    part: str
    kind: ShardKind
    task: str
    sources: Mapping[str, Source]
    output: str
    items_key: str
    start: int
    stop: int
    model: ModelRef
    options: JobOptions
    frozen_profile: ExecutionProfile | None
    suspect: bool
    deaths: Mapping[int, int]
    previous_part: str | None
    profile_number: int = 0
    ways: Mapping[str, Way] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    listed: int = 0
    again: frozenset[int] | None = None

    def chosen(self, undone: set[int]) -> set[int]:
        """Return those of the positions of items without a success that this run is about."""
        return undone if self.again is None else undone & self.again

    @property
    def profile(self) -> ExecutionProfile:
        """What the shard's networks run on.

        Raises:
            FatalError: its kind runs no networks.
        """
        if self.frozen_profile is None:
            raise FatalError(f"shards of the kind {self.kind.value!r} run no networks")
        return self.frozen_profile

    @property
    def jpeg_quality(self) -> int:
        """The quality of pictures: where networks run, that of what they are frozen to."""
        frozen = self.frozen_profile
        return self.options.drawing.jpeg_quality if frozen is None else frozen.jpeg_quality


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items of a shard or a job ended in which way."""

    succeeded: int = 0
    skipped: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Artefact:
    """An object that a commit publishes: it is copied from `staged` to `key`.

    `legends` belong to rows: what pictures need beside them, by the models' names
    (`predictions.legend`), as JSON. Models that need nothing are not among them.
    """

    role: ArtefactRole
    staged: str
    key: str
    digest: str
    size: int
    legends: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What a run has made and staged, as the shard's row describes it."""

    artefacts: tuple[Artefact, ...]
    counts: Counts
    timings: Mapping[str, float] = field(default_factory=dict)


class Directive(StrEnum):
    """What the database tells a worker about a shard that it holds."""

    GO_ON = "go_on"
    HAND_BACK = "hand_back"  # the job is paused
    CANCEL = "cancel"  # the job is being cancelled or has failed
    STALE = "stale"  # somebody else has the lease by now
