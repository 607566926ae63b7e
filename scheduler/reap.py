"""The reaper: takes shards back from workers that are gone or have stopped making progress."""

import structlog

from core.retry import Failure
from store import leases, processes
from store.database import Database
from store.settling import Lapsed, lapsed

_log = structlog.get_logger()


class Reaper:
    """Ends lapsed leases (`tick`).

    A worker that has been silent for `silence` seconds when its lease ends counts as dead.
    """

    def __init__(self, db: Database, *, silence: float, max_tries: int) -> None:
        self._db = db
        self._silence = silence
        self._max_tries = max_tries

    def tick(self) -> int:
        """Take back what nobody holds any more; return how many shards."""
        found = self._db.read(lambda s: lapsed(s, now=self._db.now(s)))
        if not found:
            return 0
        alive = self._db.read(
            lambda s: processes.alive_ids(
                s,
                {lapse.worker_id for lapse in found},
                now=self._db.now(s),
                within=self._silence,
            )
        )
        return sum(self._take_back(lapse, died=lapse.worker_id not in alive) for lapse in found)

    def _take_back(self, lapse: Lapsed, *, died: bool) -> bool:
        """End one lease. Only a death makes its shard a suspect; a slow worker doesn't."""
        failure = Failure.PROCESS_DIED if died else Failure.LEASE_LOST
        why = (
            f"worker {lapse.worker_id} died"
            if died
            else f"worker {lapse.worker_id} made no progress within its lease"
        )
        _log.warning("lease ended", job=lapse.job_id, shard=lapse.hold.shard, why=why)
        if lapse.stopping:
            self._db.write(lambda s: leases.cancel(s, lapse.hold, now=self._db.now(s)))
            return True
        return self._db.write(
            lambda s: leases.fail(
                s, lapse.hold, failure, why, now=self._db.now(s), max_tries=self._max_tries
            )
        )
