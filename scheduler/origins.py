"""The parts of earlier jobs from which results may be taken over, and what made them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.kinds import ShardKind
from core.layout import results_part
from core.profile import EngineOffer, ExecutionProfile
from core.rendering import Drawn
from store.artefacts import legends_of, part_of
from store.database import Database
from store.profiles import profiles_of
from store.settling import results_of
from store.tables import Job, Shard

Name = tuple[str, str, str]
"""A job, its output, and the key of a part there."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A part: its name, and what drawing its pictures again takes.

    `made_by` is the job whose networks made its rows, if another one only drew them again.
    """

    name: Name
    sha256: str
    legends: Mapping[str, Mapping[str, Any]]
    made_by: str


class Origins:
    """Parts by small numbers, in the order in which they were first named.

    Rows of the jobs are read once for each job.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._numbers: dict[Name, int] = {}
        self._parts: dict[str, dict[str, Origin]] = {}
        self._offers: dict[str, frozenset[EngineOffer]] = {}
        self.names: list[Name] = []

    def number(self, name: Name) -> int:
        """Return the number of a part."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def part(self, number: int) -> Origin:
        """Return what is known about a part."""
        job, output, key = name = self.names[number]
        if job not in self._parts:
            self._parts[job] = {one.name[2]: one for one in self._read(job, output)}
        return self._parts[job].get(key) or Origin(name, "", {}, job)

    def offers(self, number: int) -> frozenset[EngineOffer]:
        """Return what the networks that made a part's rows ran on, as far as that is known."""
        job = self.part(number).made_by
        if job not in self._offers:
            self._offers[job] = self._db.read(lambda s: _offers(s, job))
        return self._offers[job]

    def _read(self, job: str, output: str) -> Iterator[Origin]:
        found = self._db.read(lambda s: results_of(s, job))
        shards = [shard for shard in found if shard.part_digest is not None]
        # The same for all parts of a model, except those of a version that kept none.
        legends = {name: said for shard in shards for name, said in legends_of(shard).items()}
        for shard in shards:
            name = (job, output, results_part(part_of(shard)))
            yield Origin(name, shard.part_digest or "", legends, self._maker(shard))

    def _maker(self, shard: Shard) -> str:
        """Return the job whose networks made a shard's rows."""
        if shard.kind != ShardKind.RENDER:
            return shard.job_id
        drawn = Drawn.from_json(shard.spec or {})
        return self.part(self.number((drawn.job, drawn.output, drawn.key))).made_by


def _offers(session: Session, job_id: str) -> frozenset[EngineOffer]:
    job = session.get(Job, job_id)
    profiles = [] if job is None else profiles_of(job)
    return frozenset(
        offer for said in profiles for offer in ExecutionProfile.from_json(said).offers
    )
