"""The planner: turns a source into item manifests and shards, part by part.

A part of the listing is written to the job's output first; its shard rows, the counts and the
cursor are then committed together. Whoever takes over continues after the cursor, and what a
killed planner had written but not committed is never read. Memory holds one part.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.orm import Session

from core.errors import NewerError, RegattaError, RetryableError, text_of
from core.items import ItemRef
from core.kinds import ShardKind
from core.layout import items_part
from core.messages import queue_for
from core.options import JobOptions, ModelRef
from core.passed_over import TOO_OLD, UNREADABLE_FILE, UNREADABLE_FOLDER
from core.plan_warnings import REPEATED, PlanWarnings
from core.profile import ExecutionProfile
from core.selection import Selection
from core.sources import sources_by_prefix
from scheduler.compacted_parts import compacted_parts
from scheduler.continued import Continued
from scheduler.dataset import holds_nothing, why_empty, why_passed_over
from scheduler.drawn_parts import drawn_parts
from scheduler.expectation import note_expected
from scheduler.listing import SOURCE, Listed, listing_of_all
from scheduler.planned_parts import PlannedParts
from scheduler.troubles import Troubles
from store import planning
from store.database import Database
from store.jobs import get_job, note_trouble
from store.locations import open_store
from store.manifests import encode_items
from store.rates import rate_of
from store.tables import Job

SHARD_SECONDS = 60.0
FIRST_SHARD_ITEMS = 256  # until something was measured
_SMALLEST_SHARD, _LARGEST_SHARD = 32, 4096
_PART_ITEMS = 20_000
_PART_SECONDS = 5.0
_ASK_CLOCK_EVERY = 256
PLANNED_KINDS = (ShardKind.INFER, ShardKind.RENDER, ShardKind.COMPACT)
"""The kinds of jobs that this planner plans."""

_MET = "met"  # beside the place in the listing, in the cursor of a job that is compared
_MOST_WALKS = 4  # each needs a turn before its lease ends

_log = structlog.get_logger()


@dataclass(slots=True)
class _Walk:
    """A planning in progress: what is known about the job, and how far its listing got.

    `continued` compares the listing with the results of an earlier job, if it is to; `met` are
    then the numbers of the sources that had items so far, or would have but for the time since.
    """

    hold: planning.PlanHold
    job: Job
    shard_items: int
    objects: Iterator[Listed]
    selection: Selection
    passed_over: Counter[str]
    warnings: PlanWarnings
    listed: int
    parts: int
    continued: Continued | None = None
    met: set[int] = field(default_factory=set)

    @property
    def planned(self) -> int:
        """How many items are planned, or taken over."""
        return self.listed + (0 if self.continued is None else self.continued.comparison.carried)

    def is_over(self, more: int) -> bool:
        """Return whether `more` items besides those planned are all that the job may have."""
        return self.selection.limit is not None and self.planned + more >= self.selection.limit

    def close(self) -> None:
        """Leave nothing behind."""
        if self.continued is not None:
            self.continued.close()


@dataclass(slots=True)
class _Part:
    items: list[ItemRef] = field(default_factory=list)
    cursor: dict[str, object] | None = None
    is_last: bool = False


class Planner:
    """Plans jobs one part a `tick`, so that a long listing does not hold up the others.

    Any number of planners may run at once.

    `monotonic` paces the parts: during a long listing, shards must become ready and leases must be
    renewed.
    """

    def __init__(
        self,
        db: Database,
        owner: str,
        *,
        lease_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._monotonic = monotonic
        self._walks: deque[_Walk | PlannedParts] = deque()
        self._troubles = Troubles(monotonic)
        self._left: set[str] = set()  # jobs that only a newer version can plan

    def tick(self) -> bool:
        """Plan one part of one job, taking turns; return whether there was anything to plan."""
        is_full = len(self._walks) >= _MOST_WALKS
        longest = self._longest() if is_full else None
        may_claim = not is_full or longest is not None
        if may_claim and (claimed := self._claim(only_new=is_full)) is not None:
            if longest is not None:  # four long listings must not keep a job from its first shard
                self._leave(longest)
            self._walks.appendleft(claimed)
        if not self._walks:
            return False
        # It comes back only if it goes on. A broken listing must not pass for one that ended: after
        # an unforeseen error its lease lapses, and it is read again from the cursor.
        walk = self._walks.popleft()
        goes_on = False
        try:
            goes_on = self._advance(walk)
            if goes_on:
                self._walks.append(walk)
            self._troubles.mended(walk.job.id)
        except RetryableError as error:
            self._troubles.note(walk.job.id, text_of(error))
            self._release(walk, text_of(error))  # whoever is next continues after the cursor
            raise
        except RegattaError as error:
            _log.error("cannot plan", job=walk.job.id, error=str(error))
            self._fail(walk, error, "cannot plan: ")
        finally:
            if not goes_on and isinstance(walk, _Walk):
                walk.close()
        return True

    def close(self) -> None:
        """Leave what is being planned to others."""
        while self._walks:
            walk = self._walks.popleft()
            self._release(walk)
            if isinstance(walk, _Walk):
                walk.close()

    def _release(self, walk: _Walk | PlannedParts, error: str | None = None) -> None:
        def release(session: Session) -> None:
            if planning.release_plan(session, walk.hold) and error is not None:
                note_trouble(session, walk.job.id, error)

        self._db.write(release)

    def _longest(self) -> _Walk | None:
        """Return the listing that may make room for another job; None if none may.

        It is one that has had its first shards, so that two jobs never drive each other out, and
        the one with most turns; a comparison, which would have to begin anew, only if need be.
        """
        walks = [walk for walk in self._walks if isinstance(walk, _Walk) and walk.parts]
        return max(walks, key=lambda w: (w.continued is None, w.parts), default=None)

    def _leave(self, walk: _Walk) -> None:
        """Leave a listing; it goes on later, from its cursor."""
        self._walks.remove(walk)
        self._release(walk)
        walk.close()

    def _claim(self, *, only_new: bool) -> _Walk | PlannedParts | None:
        hold = self._db.write(
            lambda s: planning.claim_plan(
                s,
                self._owner,
                kinds=PLANNED_KINDS,
                now=self._db.now(s),
                lease_seconds=self._lease_seconds,
                without=self._left | self._troubles.resting(),
                only_new=only_new,
            )
        )
        if hold is None:
            return None
        job = self._db.read(lambda s: get_job(s, hold.job))
        try:
            walk = self._begin(hold, job)
        except NewerError as error:
            _log.warning("left to a newer scheduler", job=job.id, why=str(error))
            self._left.add(job.id)
            self._db.write(lambda s: planning.release_plan(s, hold))
            return self._claim(only_new=only_new)
        _log.info("planning", job=job.id, source=job.source, after=job.plan_cursor)
        return walk

    def _begin(self, hold: planning.PlanHold, job: Job) -> _Walk | PlannedParts:
        if job.kind == ShardKind.RENDER:
            return drawn_parts(self._db, hold, job)
        if job.kind == ShardKind.COMPACT:
            return compacted_parts(self._db, hold, job)
        selection = Selection.from_json(job.selection)
        sources = tuple(sources_by_prefix(job.source, selection.sources).values())
        return _Walk(
            hold=hold,
            job=job,
            shard_items=self._shard_items(job),
            objects=listing_of_all(sources, job.plan_cursor),
            selection=selection,
            passed_over=Counter(job.passed_over),
            warnings=PlanWarnings.from_json(job.warnings),
            listed=job.listed,
            parts=job.plan_parts,
            continued=None if job.since_job is None else Continued(self._db, job),
            met=set((job.plan_cursor or {}).get(_MET, ())),
        )

    def _shard_items(self, job: Job) -> int:
        """Return about a minute of one worker's work, by the rate measured last."""
        pinned = JobOptions.from_json(job.options).planning.shard_items
        if pinned is not None:
            return pinned
        if job.profile is None:
            return FIRST_SHARD_ITEMS
        engine = ExecutionProfile.from_json(job.profile).key
        digest = ModelRef.from_json(job.model).digest
        rate = self._db.read(lambda s: rate_of(s, digest, engine))
        if rate is None:
            return FIRST_SHARD_ITEMS
        return round(min(_LARGEST_SHARD, max(_SMALLEST_SHARD, rate * SHARD_SECONDS)))

    def _advance(self, walk: _Walk | PlannedParts) -> bool:
        """Plan the next part; False when the walk is over or somebody else has it."""
        goes_on = self._take(walk) if isinstance(walk, PlannedParts) else self._list(walk)
        if goes_on is None:
            _log.info("planning was taken over or stopped", job=walk.job.id)
            return False
        if not goes_on:
            self._finish(walk)
        return goes_on

    def _finish(self, walk: _Walk | PlannedParts) -> None:
        if isinstance(walk, _Walk) and not walk.planned:
            why = why_empty(walk.job.source, walk.selection, walk.passed_over)
            if why is not None:
                _log.info("nothing to do", job=walk.job.id, why=str(why))
                self._fail(walk, why)
                return
        if isinstance(walk, _Walk) and (missed := _why_a_source_is_missed(walk)) is not None:
            _log.info("a source is missed", job=walk.job.id, why=str(missed))
            self._fail(walk, missed)
            return
        compared = None
        if isinstance(walk, _Walk) and walk.continued is not None and self._renew(walk):
            compared = walk.continued.finished()
        now = self._db.now
        if self._db.write(
            lambda s: planning.finish_plan(s, walk.hold, now=now(s), comparison=compared)
        ):
            words = {} if compared is None else {"compared": compared.words}
            _log.info("planned", job=walk.job.id, **words)
            self._db.write(lambda s: note_expected(s, walk.job.id, now=now(s)))

    def _renew(self, walk: _Walk) -> bool:
        return self._db.write(
            lambda s: planning.renew_plan(
                s, walk.hold, now=self._db.now(s), lease_seconds=self._lease_seconds
            )
        )

    def _list(self, walk: _Walk) -> bool | None:
        """Plan the next part of a listing; return whether there is more, None if overtaken."""
        if walk.continued is not None and not walk.continued.advance():
            return True if self._renew(walk) else None
        part = self._read_part(walk)
        if part.cursor is not None and not self._commit(walk, part):
            return None
        return not part.is_last

    def _take(self, walk: PlannedParts) -> bool | None:
        """Plan shards for another job's next parts; return as `_list` does."""
        found = next(walk.found, None)
        if found is None:
            return False
        committed = self._add(walk.hold, found.shards, found.cursor, {}, PlanWarnings())
        return True if committed else None

    def _read_part(self, walk: _Walk) -> _Part:
        part = _Part(is_last=walk.is_over(0))
        if part.is_last:
            return part
        until = self._monotonic() + _PART_SECONDS
        # The first part is one shard, so that work starts while the listing goes on.
        # Where only what is new becomes items, they are few.
        is_first = walk.parts == 0 and walk.continued is None
        full = walk.shard_items if is_first else max(_PART_ITEMS, walk.shard_items)
        for seen, found in enumerate(walk.objects, start=1):
            part.cursor = dict(found.cursor)
            self._sort_in(walk, part, found)
            if walk.is_over(len(part.items)):
                break
            if len(part.items) >= full:
                return part
            if seen % _ASK_CLOCK_EVERY == 0 and self._monotonic() > until:
                return part
        part.is_last = True
        return part

    @staticmethod
    def _sort_in(walk: _Walk, part: _Part, found: Listed) -> None:
        reason = why_passed_over(found, walk.selection)
        if reason in {None, TOO_OLD}:
            walk.met.add(int(found.cursor.get(SOURCE, 0)))
        if reason is not None:
            walk.passed_over[reason] += 1
            if reason in {UNREADABLE_FILE, UNREADABLE_FOLDER}:
                _warn(walk, reason, found.key)
            return
        if found.is_repeated:
            _warn(walk, REPEATED, found.key)
        part.items.append(
            ItemRef(
                index=walk.listed + len(part.items),
                key=found.key,
                uri=found.uri,
                size=found.size,
                etag=found.etag,
                modified=found.modified,
            )
        )

    def _commit(self, walk: _Walk, part: _Part) -> bool:
        if walk.continued is not None:
            return self._commit_sorted(walk, walk.continued, part)
        key = items_part(walk.parts, walk.hold.attempt)
        if part.items:
            open_store(walk.job.output).put(key, encode_items(part.items), durable=True)
        count = len(part.items)
        kind = ShardKind(walk.job.kind)
        queue = queue_for(walk.job.task, kind)
        shards = [
            planning.NewShard(kind, queue, key, start, min(start + walk.shard_items, count))
            for start in range(0, count, walk.shard_items)
        ]
        committed = self._add(walk.hold, shards, part.cursor or {}, walk.passed_over, walk.warnings)
        walk.listed += count
        walk.parts += bool(shards)
        return committed

    def _commit_sorted(self, walk: _Walk, continued: Continued, part: _Part) -> bool:
        """Commit a part of which only some items are to be done."""
        key = items_part(walk.parts, walk.hold.attempt)
        cursor = {**(part.cursor or {}), _MET: sorted(walk.met)}
        found = continued.sort(
            part.items,
            key,
            shard_items=walk.shard_items,
            first=walk.listed,
            attempt=walk.hold.attempt,
        )
        if found.items:
            data = encode_items(found.items, found.whys)
            open_store(walk.job.output).put(key, data, durable=True)
        committed = self._add(
            walk.hold, found.shards, cursor, walk.passed_over, walk.warnings, found.taken
        )
        continued.comparison = found.taken.comparison
        walk.listed += len(found.items)
        walk.parts += bool(found.shards)
        return committed

    def _add(
        self,
        hold: planning.PlanHold,
        shards: Sequence[planning.NewShard],
        cursor: Mapping[str, Any],
        passed_over: Mapping[str, int],
        warnings: PlanWarnings,
        taken: planning.Taken | None = None,
    ) -> bool:
        return self._db.write(
            lambda s: planning.commit_plan_part(
                s,
                hold,
                shards=shards,
                cursor=cursor,
                passed_over=passed_over,
                warnings=warnings.to_json(),
                taken=taken,
                now=self._db.now(s),
                lease_seconds=self._lease_seconds,
            )
        )

    def _fail(self, walk: _Walk | PlannedParts, error: RegattaError, what: str = "") -> None:
        why = f"{what}{text_of(error)}"
        self._db.write(lambda s: planning.fail_plan(s, walk.hold, now=self._db.now(s), error=why))


def _why_a_source_is_missed(walk: _Walk) -> RegattaError | None:
    """Return what to say if one of several sources has no items, and had some in the earlier job.

    A disk that is not mounted must not wipe its part of the view, as it does not wipe all of it.
    """
    selection, continued = walk.selection, walk.continued
    if continued is None or not selection.sources or selection.allow_empty or walk.is_over(0):
        return None
    sources = sources_by_prefix(walk.job.source, selection.sources).values()
    for number, source in enumerate(sources):
        had = 0 if number in walk.met else continued.known_of(source)
        if had:
            items = f"{had:,} {'item' if had == 1 else 'items'}"
            return RegattaError(
                f"{holds_nothing(source)}: job {walk.job.since_job} had {items} of it",
                hint="run it again once it is there; if it is to be empty, add --allow-empty",
            )
    return None


def _warn(walk: _Walk, kind: str, key: str) -> None:
    if walk.warnings.add(kind, key):
        _log.warning(kind, job=walk.job.id, key=key)
