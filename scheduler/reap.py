"""The reaper: takes shards back from workers that are gone or have stopped making progress."""

import time
from collections.abc import Callable

import structlog

from core.retry import Failure
from store import leases, processes
from store.clock import pull_back
from store.database import Database
from store.settling import Lapsed, lapsed

_log = structlog.get_logger()


class Reaper:
    """Ends lapsed leases (`tick`).

    A worker that has been silent for `silence` seconds when its lease ends counts as dead. If
    nobody could renew a lease for a while, because the database was away or the clock was set
    forward, workers get `silence` seconds to do so first. If the clock was set back, what lies
    further ahead than it can is pulled back. `monotonic` tells both.
    """

    def __init__(
        self,
        db: Database,
        *,
        silence: float,
        max_tries: int,
        lease_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._silence = silence
        self._max_tries = max_tries
        self._lease_seconds = lease_seconds
        self._monotonic = monotonic
        self._seen: tuple[float, float] | None = None  # the database's clock and ours, last time
        self._mercy_until = float("-inf")
        self._had_mercy = False

    def tick(self) -> int:
        """Take back what nobody holds any more; return how many shards."""
        gone_only = self._look_at_clocks()
        found = self._db.read(lambda s: lapsed(s, now=self._db.now(s), gone_only=gone_only))
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
        if self._was_away():
            return 0
        return sum(self._take_back(lapse, died=lapse.worker_id not in alive) for lapse in found)

    def _look_at_clocks(self) -> bool:
        """Return whether leases may have ended only because they could not be renewed."""
        now = self._db.read(self._db.now)
        seen, ours = self._seen, self._monotonic()
        passed = 0.0 if seen is None else ours - seen[1]
        jumped = 0.0 if seen is None else now - seen[0] - passed
        if seen is None or jumped < -self._silence:
            self._db.write(lambda s: pull_back(s, now=now, lease_seconds=self._lease_seconds))
        if jumped < -self._silence or jumped > self._silence:
            _log.warning("the database's clock was set", seconds=round(jumped))
        self._seen = now, ours
        is_over = ours >= self._mercy_until
        # Not twice in a row: turns that are slow for another reason must not protect the dead.
        if is_over and not self._had_mercy and max(passed, jumped) > self._silence:
            self._mercy_until, self._had_mercy = ours + self._silence, True
            return True
        if is_over:
            self._had_mercy = False
        return not is_over

    def _was_away(self) -> bool:
        """Return whether the database was away since the clocks were read: the next turn sees it.

        What was asked before says nothing about leases that ended meanwhile.
        """
        assert self._seen is not None
        return not self._had_mercy and self._monotonic() - self._seen[1] > self._silence

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
