"""The settler: publishes what was committed, buries what failed, and ends jobs.

Every step may be repeated: copies write the same bytes, and the moves compare first.
"""

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

import structlog

from core.errors import RegattaError
from core.layout import ATTEMPTS, ITEMS, MANIFEST, results_part
from core.options import ModelRef
from core.states import JobMoves, JobState, Move, ShardState
from core.work import Hold
from scheduler.manifest import job_manifest
from store import leases, references, settling
from store.artefacts import artefacts_of, part_of
from store.database import Database
from store.jobs import Tally, get_job, tally, why_newer
from store.locations import open_store
from store.manifests import decode_items
from store.objects import ObjectStore
from store.parts import ResultRow, encode_rows, merge_rows, unsucceeded
from store.tables import Job, Shard

_GRACE_SECONDS = 5.0  # workers publish their own parts; what is older was left behind

T = TypeVar("T")

_log = structlog.get_logger()


class Settler:
    """Brings shards and jobs to their end (`tick`). Any number may run at once."""

    def __init__(self, db: Database, *, grace_seconds: float = _GRACE_SECONDS) -> None:
        self._db = db
        self._grace_seconds = grace_seconds
        self._left: set[str] = set()  # jobs that only a newer version can read

    def tick(self) -> int:
        """Settle what can be settled; return how many jobs ended."""
        for shard in self._db.read(
            lambda s: settling.unpublished(s, before=self._db.now(s) - self._grace_seconds)
        ):
            _alone(self._publish, shard, shard.job_id)
        for shard in self._db.read(settling.without_tombstone):
            _alone(self._bury, shard, shard.job_id)
        if self._db.read(settling.has_waiting):
            self._db.write(settling.unblock)
        for job_id in self._db.read(settling.stopping_with_unstarted):
            self._call_off(job_id)
        return sum(_alone(self._end, job, job.id) for job in self._db.read(settling.at_their_end))

    def _call_off(self, job_id: str) -> None:
        self._db.write(lambda s: settling.call_off_unstarted(s, job_id, now=self._db.now(s)))

    def _output(self, shard: Shard) -> tuple[Job, ObjectStore]:
        job = self._db.read(lambda s: get_job(s, shard.job_id))
        return job, open_store(job.output)

    def _publish(self, shard: Shard) -> bool:
        _, output = self._output(shard)
        hold = Hold(shard.id, shard.attempt)
        for artefact in artefacts_of(shard):
            output.copy(artefact.staged, artefact.key)
        _log.info("published", job=shard.job_id, shard=shard.id)
        return self._db.write(lambda s: leases.published(s, hold))

    def _bury(self, shard: Shard) -> bool:
        """Write a row for every item that a failed shard leaves behind: none may be silent."""
        job, output = self._output(shard)
        if (why := why_newer(job)) is not None:
            if job.id not in self._left:
                _log.warning("left to a newer scheduler", job=job.id, why=why)
                self._left.add(job.id)
            return False
        items = decode_items(output.get(shard.items_key), shard.start, shard.stop)
        model = ModelRef.from_json(job.model)
        reason = f"shard_failed: {shard.error}"
        rows = [
            ResultRow.quarantined(item, task=one.task, model=one.name, reason=reason)
            for item in items
            for one in model.members
        ]
        key = results_part(part_of(shard))
        if shard.part_digest is None:
            part = encode_rows(rows if shard.part_attempt is None else [])
        else:  # a retry that failed: what had succeeded before stands
            before = output.get(key)
            redone = unsucceeded(before)
            part = merge_rows(before, [row for row in rows if row.item.index in redone])
        output.put(key, part, durable=True)
        digest = hashlib.sha256(part).hexdigest()
        hold = Hold(shard.id, shard.attempt)
        _log.error("shard failed", job=shard.job_id, shard=shard.id, reason=shard.error)
        return self._db.write(lambda s: settling.bury(s, hold, digest=digest, size=len(part)))

    def _end(self, job: Job) -> bool:
        """Write the final manifest and end the job; a job that was retried meanwhile goes on."""
        counts = self._db.read(lambda s: tally(s, [job]))[job.id]
        move = _last_move(job.state, counts)
        now = self._db.read(self._db.now)
        shards = self._db.read(lambda s: settling.results_of(s, job.id))
        output = open_store(job.output)
        refers_to = self._db.read(lambda s: references.references_of(s, job.id))
        manifest = job_manifest(job, move.target, counts, shards, finished=now, refers_to=refers_to)
        output.put(MANIFEST, json.dumps(manifest, indent=2).encode() + b"\n", durable=True)
        self._sweep(job, output)
        ended = self._db.write(lambda s: settling.end(s, job, move, now=now))
        if ended:
            _log.info("job ended", job=job.id, state=move.target.value)
        return ended

    def _sweep(self, job: Job, output: ObjectStore) -> None:
        """Remove staged parts and what overtaken planners wrote.

        Another settler may have ended the job meanwhile, and a retry be under way. What was there
        while the job still stood is nobody's any more; what came later is the retry's.
        """
        found = [info.key for prefix in (ATTEMPTS, ITEMS) for info in output.list(prefix)]
        committed, stands = self._db.read(
            lambda s: (settling.items_keys(s, job.id), settling.stands(s, job))
        )
        if not stands:
            return
        for key in found:
            if key not in committed:
                output.delete(key)


def _alone(step: Callable[[T], bool], thing: T, job_id: str) -> bool:
    """Take one step; where one job's output cannot be written, or is odd, the others go on."""
    try:
        return step(thing)
    except RegattaError as error:
        _log.warning("cannot settle yet", job=job_id, error=str(error))
    except Exception:
        _log.exception("unexpected; will try again", job=job_id)
    return False


def _last_move(state: JobState, counts: Tally) -> Move[JobState]:
    if state is JobState.CANCELLING:
        return JobMoves.END_CANCELLED
    if state is JobState.FAILING:
        return JobMoves.END_FAILED
    # A shard whose items don't count may have failed as well; a retry has to be able to run it.
    is_whole = not counts.quarantined and not counts.shards.get(ShardState.FAILED)
    return JobMoves.SUCCEED if is_whole else JobMoves.END_PARTIAL
