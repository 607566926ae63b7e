"""A job database to try things on: migrated, empty, with a clock that stands still."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import undefer

from core.items import ItemRef
from core.kinds import KNOWN, ArtefactRole, ShardKind
from core.layout import part_name, results_part, staged_results_part
from core.messages import queue_for
from core.options import JobOptions, ModelRef
from core.profile import EngineOffer, ExecutionProfile, Offered
from core.retry import Failure
from core.selection import Selection
from core.states import JobState, ShardState
from core.work import Artefact, Counts, Hold, ShardResult, WorkUnit
from store import jobs, leases, processes, profiles, queueing
from store.artefacts import artefacts_of
from store.database import Database
from store.locations import open_store
from store.manifests import encode_items
from store.objects import ObjectStore
from store.planning import NewShard
from store.tables import Job, Shard, ShardDependency

OFFER = EngineOffer("null", "1", "cpu-test", "fp32")
PROFILE = ExecutionProfile(
    "null", "1", "cpu-test", "fp32", batch_size=4, threads=1, jpeg_quality=90
)
OPTIONS = JobOptions.of(max_pixels=1_000_000, max_item_bytes=1_000_000, jpeg_quality=90)
MODEL = ModelRef("m", "detect", "d" * 64, "file:///models/m")


@dataclass
class Clock:
    """Seconds since the epoch, as the test says."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def rows_artefact(hold: Hold, digest: str = "p" * 64, size: int = 7, *, seq: int = 0) -> Artefact:
    """The rows that an attempt at the planned shard `seq` has staged."""
    part = part_name(seq)
    staged = staged_results_part(part, hold.attempt)
    return Artefact(ArtefactRole.ROWS, staged, results_part(part), digest, size)


class Bench:
    """Jobs whose outputs are folders in `root`."""

    def __init__(self, url: str, root: Path, *, patience: float = 10.0) -> None:
        self.root = root
        self.clock = Clock()
        self.db = Database(url, clock=self.clock, patience=patience)

    def job(
        self,
        job_id: str,
        shards: Sequence[int] = (),
        *,
        state: JobState = JobState.RUNNING,
        **values: Any,
    ) -> str:
        """Add a planned job with pending shards of these sizes, its one items part written."""
        defaults: dict[str, Any] = {
            "name": job_id,
            "task": "detect",
            "source": "/nowhere/",
            "output": str(self.root / job_id),
            "model": MODEL.to_json(),
            "options": OPTIONS.to_json(),
            "selection": Selection().to_json(),
            "tags": [],
            "version": "0",
            "priority": 0,
            "profile": PROFILE.to_json(),
            "created_at": self.clock.now,
            "planned_at": None if state is JobState.PLANNING else self.clock.now,
            "listed": sum(shards),
            "shards": len(shards),
        }
        self.db.write(lambda s: s.add(Job(id=job_id, state=state, **(defaults | values))))
        if shards:
            items = [ItemRef(index, f"{index}.jpg", size=9) for index in range(sum(shards))]
            self.output(job_id).put("items/part-00000-1.parquet", encode_items(items))
        start = 0
        for seq, count in enumerate(shards):
            self.shard(job_id, seq=seq, start=start, stop=start + count)
            start += count
        return job_id

    def shard(self, job_id: str, *, seq: int, start: int = 0, stop: int = 1, **values: Any) -> int:
        """Add one shard and return its id."""
        kind = values.get("kind", ShardKind.INFER)
        row = Shard(
            job_id=job_id,
            seq=seq,
            items_key="items/part-00000-1.parquet",
            start=start,
            stop=stop,
            items=stop - start,
            **{"kind": kind, "queue": queue_for("detect", kind), "state": ShardState.PENDING}
            | values,
        )
        self.db.write(lambda s: s.add(row))
        return row.id

    def needs(self, shard: int, other: int) -> None:
        """Make a shard wait for another."""
        self.db.write(lambda s: s.add(ShardDependency(shard_id=shard, needs_id=other)))

    def output(self, job_id: str) -> ObjectStore:
        """Where the job writes."""
        return open_store(str(self.root / job_id))

    def worker(self, worker_id: str = "w", *, slots: int = 2, **values: Any) -> None:
        """Let a worker's heart beat."""
        defaults: dict[str, Any] = {
            "role": processes.WORKER,
            "host": "h",
            "pid": 1,
            "version": "0",
            "queues": ("detect",),
            "offers": (OFFER,),
            "kinds": tuple(KNOWN),
        } | values
        offers = [o if isinstance(o, Offered) else Offered(o) for o in defaults.pop("offers")]
        heartbeat = processes.Heartbeat(id=worker_id, slots=slots, offers=tuple(offers), **defaults)
        self.db.write(lambda s: processes.beat(s, heartbeat, now=self.clock.now))

    def read_job(self, job_id: str) -> Job:
        """The job's row."""
        return self.db.read(lambda s: jobs.get_job(s, job_id))

    def read_shard(self, shard: int) -> Shard:
        """The shard's whole row."""
        return self.db.read(lambda s: s.get_one(Shard, shard, options=[undefer(Shard.log)]))

    def states(self, job_id: str) -> list[str]:
        """The states of the job's shards, in order."""
        return [
            shard.state.value
            for shard in self.db.read(
                lambda s: s.query(Shard).where(Shard.job_id == job_id).order_by(Shard.seq).all()
            )
        ]

    def tally(self, job_id: str) -> jobs.Tally:
        """What became of the job's items."""
        return self.db.read(lambda s: jobs.tally(s, [jobs.get_job(s, job_id)]))[job_id]

    def queue(
        self, job_id: str, limit: int = 1, *, kind: ShardKind = ShardKind.INFER
    ) -> list[Hold]:
        """Queue the job's next shards of a kind."""
        queue = queue_for("detect", kind)
        return self.db.write(
            lambda s: queueing.queue_next(s, job_id, queue, kind, limit, now=self.clock.now)
        )

    def leave_profile(self, job_id: str) -> bool:
        """Free what is left of a job from its profile."""
        return self.db.write(lambda s: profiles.leave_profile(s, job_id, now=self.clock.now))

    def freeze(self, job_id: str, profile: ExecutionProfile = PROFILE) -> bool:
        """Freeze a job's profile."""
        return self.db.write(lambda s: profiles.freeze_profile(s, job_id, profile))

    def claim(
        self,
        hold: Hold,
        worker_id: str = "w",
        *,
        kinds: Collection[ShardKind] = KNOWN,
        offers: Sequence[EngineOffer] = (OFFER,),
    ) -> WorkUnit | leases.Refusal:
        """Try to claim a queued shard."""
        return self.db.write(
            lambda s: leases.claim(
                s,
                hold,
                worker_id=worker_id,
                kinds=kinds,
                offers=offers,
                now=self.clock.now,
                lease_seconds=30,
            )
        )

    def run(self, job_id: str, worker_id: str = "w") -> Hold:
        """Queue and claim the job's next shard."""
        [hold] = self.queue(job_id)
        assert isinstance(self.claim(hold, worker_id), WorkUnit)
        return hold

    def end(
        self, hold: Hold, result: ShardResult, children: Mapping[int, NewShard] | None = None
    ) -> bool:
        """Commit what a held shard has made, and the children that it plans."""
        return self.db.write(
            lambda s: leases.commit(s, hold, result, children=children or {}, now=self.clock.now)
        )

    def commit(self, hold: Hold, *, quarantined: int = 0, skipped: int = 0) -> bool:
        """Commit a held shard; what is not quarantined or skipped has succeeded."""
        shard = self.read_shard(hold.shard)
        counts = Counts(shard.items - quarantined - skipped, skipped, quarantined)
        result = ShardResult((rows_artefact(hold, seq=shard.seq),), counts)
        return self.end(hold, result)

    def publish(self, hold: Hold) -> bool:
        """Publish a committed part, if nobody has, and note it."""
        shard = self.read_shard(hold.shard)
        output = self.output(shard.job_id)
        for artefact in artefacts_of(shard):
            if not output.exists(artefact.key):
                output.put(artefact.key, bytes(artefact.size))
        return self.db.write(lambda s: leases.published(s, hold))

    def publish_all(self, job_id: str, *, quarantined: int = 0) -> None:
        """Run every shard that is ready to its end, each with so many quarantined items."""
        for hold in self.queue(job_id, 100):
            assert isinstance(self.claim(hold), WorkUnit)
            assert self.commit(hold, quarantined=quarantined)
            assert self.publish(hold)

    def fail(self, hold: Hold, failure: Failure = Failure.RETRYABLE, *, max_tries: int = 3) -> bool:
        """End a run without a result."""
        return self.db.write(
            lambda s: leases.fail(
                s, hold, failure, "it broke", now=self.clock.now, max_tries=max_tries
            )
        )

    def hand_back(self, hold: Hold) -> bool:
        """Give a shard back."""
        return self.db.write(lambda s: leases.hand_back(s, hold, now=self.clock.now))
