"""Fires due schedules: their times become rows, and the rows become jobs.

Schedulers need no leader. What each step does is decided in one transaction, by comparing: two that
take the same step find that one of them was faster. The job's id is chosen with the row, so that
whoever goes on after a dead scheduler submits the same job.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy.orm import Session

from core.errors import NewerError, RegattaError, RetryableError, text_of
from core.ids import new_id
from core.repeats import Repeats
from core.request import JobRequest
from core.schedule import REDO_ON, SINCE_JOB, CatchUp, Cause, Mode, Overlap, Schedule, ScheduleState
from core.times import iso
from registry.chosen_model import model_on_record
from scheduler.since import why_not_since
from scheduler.submit import JobDefaults, accept_as, check
from scheduler.timetable import Timetable, window_end
from store import fires, schedules, tables
from store.database import Database
from store.fires import NewFire
from store.tables import Job

GRACE_SECONDS = 60.0
"""How late a time may be seen and still count as met; later ones are made up for, or not."""

MOST_CAUGHT_UP = 24
"""How many missed times of a schedule are made up for at most: the last ones."""

_TAKEN_SECONDS = 10.0  # so soon somebody else goes on with what a dead scheduler has begun
_LONGEST_PAUSE = 300.0
_DOUBLINGS = 9  # more than enough to get there
_LOOK_SECONDS = 30.0

_MOST_RUNS = 100  # to look for one that the next can be compared with
_MISSED = "missed: no scheduler saw it in time"
_TOO_MANY = f"{_MISSED}; of all that were missed, only the last {MOST_CAUGHT_UP} are looked at"

_log = structlog.get_logger()

Key = tuple[str, float]


class Firing:
    """Does what there is to do about schedules, one turn at a time.

    `defaults` are for the jobs. In a `pool` jobs are checked and written beside the turns, so that
    a source that hangs holds up no other schedule; without one, in turn. `monotonic` is the clock
    by which it looks whether times lie too far ahead.
    """

    def __init__(
        self,
        db: Database,
        defaults: JobDefaults,
        *,
        rng: random.Random | None = None,
        pool: ThreadPoolExecutor | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._defaults = defaults
        self._rng = rng or random.SystemRandom()
        self._monotonic = monotonic
        self._next_look = float("-inf")
        self._repeats = Repeats()
        self._pool = pool
        self._under_way: set[Key] = set()

    def tick(self) -> int:
        """Do what is due; return how many steps there were to take."""
        if self._monotonic() >= self._next_look:
            self._next_look = self._monotonic() + _LOOK_SECONDS
            self.pull_back()
        found = self._db.read(lambda s: fires.waiting(s, now=self._db.now(s)))
        for key in found.closing:
            self._quietly(self.close, key)
        for schedule_id in found.due:
            self._quietly(self.fire, schedule_id)
        for schedule_id in found.queued:
            self._quietly(self.promote, schedule_id)
        if found.due or found.queued:
            found = self._db.read(lambda s: fires.waiting(s, now=self._db.now(s)))
        for key in found.firing:
            if self._pool is None:
                self._quietly(self.submit, key)
            elif key not in self._under_way:
                self._under_way.add(key)
                self._pool.submit(self._submit_beside, key)
        return len(found.closing) + len(found.due) + len(found.queued) + len(found.firing)

    def fire(self, schedule_id: str) -> list[tables.ScheduleFire]:
        """Turn a schedule's times that have come into rows, and move it on; return the rows.

        Raises:
            UsageError: its time zone is unknown here.
            NewerError: a newer version wrote it.
        """

        def work(session: Session) -> tuple[str, list[tables.ScheduleFire]] | None:
            seen = session.get(tables.Schedule, schedule_id, populate_existing=True)
            now = self._db.now(session)
            if seen is None or seen.state != ScheduleState.ACTIVE or seen.next_at is None:
                return None
            if seen.next_at > now:
                return None
            schedule = schedules.definition_of(seen)
            timetable = Timetable(schedule.cron, schedule.timezone)
            times, overlap = self._times(schedule, timetable, seen.next_at, now=now)
            next_at = timetable.next(now)
            made = fires.fire(session, seen, overlap, times, next_at=next_at, now=now)
            return None if made is None else (seen.name, made)

        name, made = self._db.write(work) or ("", [])
        for row in made:
            _log.info("schedule fired", schedule=name, due=iso(row.due_at), **_about(row))
        return made

    def _submit_beside(self, key: Key) -> None:
        self._quietly(self.submit, key)
        self._under_way.discard(key)

    def promote(self, schedule_id: str) -> bool:
        """Let a schedule's next queued run begin if its turn has come."""
        if self._db.read(lambda s: fires.turn(s, schedule_id, now=self._db.now(s))) is None:
            return False
        return self._db.write(lambda s: fires.promote(s, schedule_id, now=self._db.now(s)))

    def submit(self, key: Key) -> Job | None:
        """Write the job of a `firing` row; None if there is none to write, or not yet."""
        return self.write_job(key) if self.take(key) else None

    def take(self, key: Key) -> bool:
        """Take a `firing` row for a while; somebody else goes on with it if nothing comes of it."""

        def work(session: Session) -> bool:
            now = self._db.now(session)
            return fires.take(session, key, until=now + _TAKEN_SECONDS, now=now)

        return self._db.write(work)

    def write_job(self, key: Key) -> Job | None:
        """Check the request of a `firing` row and write its job, or note why that cannot be."""
        row = self._db.read(lambda s: fires.get(s, key))
        if row is None or row.job_id is None:
            return None
        log = _log.bind(schedule=key[0], due=iso(key[1]), job=row.job_id)
        try:
            job = self._accepted(row, row.job_id)
        except (RetryableError, NewerError) as error:
            self._put_off(row, text_of(error))
            log.warning("schedule's job will be tried again", error=text_of(error))
            return None
        except RegattaError as error:
            why = text_of(error)
            if not self._db.write(lambda s: fires.failed(s, key, why)):
                return None  # somebody else was faster
            log.error("schedule's job cannot be submitted", error=why)  # noqa: TRY400
            return None
        except Exception as error:
            self._put_off(row, f"{type(error).__name__}: {error}")
            raise
        if job is not None:
            log.info("schedule's job submitted")
        return job

    def close(self, key: Key) -> bool:
        """Pause the run of a fire if its window has closed and it has not ended."""

        def work(session: Session) -> bool:
            row = fires.get(session, key)
            seen = session.get(tables.Schedule, key[0])
            now = self._db.now(session)
            if row is None or seen is None or row.pause_at is None or row.pause_at > now:
                return False
            why = f"the window of schedule {seen.name!r} closed at {iso(row.pause_at)}; it goes on "
            why += f"in the next, or with `regatta resume {row.job_id}`"
            return fires.close_window(session, key, why, now=now)

        closed = self._db.write(work)
        if closed:
            _log.info("window closed", schedule=key[0], due=iso(key[1]))
        return closed

    def pull_back(self) -> int:
        """Bring times forward that a clock which was ahead had put too far away; return how many.

        A time that fired already is not fired again when it comes the second time.
        """
        known = self._db.read(schedules.list_schedules)
        if not known:
            return 0
        now = self._db.read(self._db.now)
        self._db.write(lambda s: fires.pull_back_tries(s, latest=now + _LONGEST_PAUSE))
        moved = 0
        for seen in known:
            if seen.state != ScheduleState.ACTIVE or (seen.next_at or 0.0) <= now:
                continue
            try:
                schedule = schedules.definition_of(seen)
                due = Timetable(schedule.cron, schedule.timezone).next(now)
            except RegattaError:
                continue  # said when it is due
            if due is not None and seen.next_at is not None and due < seen.next_at:
                moved += self._pull(seen, due)
        return moved

    def _pull(self, seen: tables.Schedule, due: float) -> bool:
        return self._db.write(lambda s: fires.pull_back(s, seen, next_at=due))

    def _times(
        self, schedule: Schedule, timetable: Timetable, first: float, *, now: float
    ) -> tuple[list[NewFire], Overlap]:
        """Return the times from `first` to now, and what holds while earlier runs have not ended.

        The last one is due if it has only just come, and all others were missed.
        """
        found, _ = timetable.newest(first - 1, now, most=MOST_CAUGHT_UP + 2)
        due = found.pop() if found and now - found[-1] <= GRACE_SECONDS else None
        made_up = _made_up(schedule.catch_up, is_due=due is not None)
        times = []
        for age, at in reversed(list(enumerate(reversed(found[-MOST_CAUGHT_UP - 1 :])))):
            one = self._new(schedule, at, Cause.CAUGHT_UP, now=now)
            if age == MOST_CAUGHT_UP:
                one = replace(one, skipped=_TOO_MANY)
            elif age >= made_up and one.skipped is None:
                one = replace(one, skipped=_MISSED)
            times.append(one)
        if due is None:
            return times, schedule.overlap
        follows = schedule.catch_up is CatchUp.ALL and bool(times)  # those that it would overtake
        times.append(self._new(schedule, due, Cause.DUE, now=now))
        return times, Overlap.QUEUE if follows else schedule.overlap

    def _new(self, schedule: Schedule, due_at: float, cause: Cause, *, now: float) -> NewFire:
        closes = None
        if schedule.until is not None:
            closes = window_end(schedule.until, schedule.timezone, due_at)
        is_over = closes is not None and closes <= now
        why = f"missed: its window closed at {iso(closes)}" if is_over else None
        return NewFire(due_at, cause, new_id(self._rng), closes, why)

    def _accepted(self, row: tables.ScheduleFire, job_id: str) -> Job | None:
        key = (row.schedule_id, row.due_at)

        def read(session: Session) -> tuple[str, Schedule, str | None] | None:
            found = session.get(tables.Schedule, row.schedule_id)
            if found is None:
                return None
            schedule = schedules.revision_of(session, row)
            runs = schedules.runs_of(session, found.id, limit=_MOST_RUNS)
            since = None
            if schedule.mode is Mode.NEW_ONLY:
                since = next((job.id for job in runs if why_not_since(job) is None), None)
            return found.name, schedule, since

        known = self._db.read(read)
        if known is None:
            return None
        name, schedule, since = known
        request = _request(schedule.request, name, since)
        output = request.terms.output
        defaults = self._defaults if output is None else replace(self._defaults, objects=output)
        draft = check(self._db, request.without("output"), defaults, find=model_on_record)
        return accept_as(
            self._db,
            draft,
            defaults,
            job_id,
            confirm=lambda session: fires.submitted(session, key),
        )

    def _put_off(self, row: tables.ScheduleFire, why: str) -> None:
        pause = min(_LONGEST_PAUSE, 2.0 ** min(row.tries, _DOUBLINGS))

        def work(session: Session) -> bool:
            try_at = self._db.now(session) + pause
            return fires.put_off(session, (row.schedule_id, row.due_at), why, try_at=try_at)

        self._db.write(work)

    def _quietly(self, step: Callable[[Any], object], about: Key | str) -> None:
        """Take one step; log what goes wrong, so that other schedules go on."""
        try:
            step(about)
        except RegattaError as error:
            if (times := self._repeats.due(str(about), type(error).__name__)) is not None:
                _log.warning("will try again", about=about, error=text_of(error), times=times)
        except Exception as error:
            if (times := self._repeats.due(str(about), type(error).__name__)) is not None:
                _log.exception("unexpected; will try again", about=about, times=times)


def _made_up(catch_up: CatchUp, *, is_due: bool) -> int:
    """Return how many of the last missed times are made up for."""
    if catch_up is CatchUp.LAST:
        return 0 if is_due else 1
    return MOST_CAUGHT_UP if catch_up is CatchUp.ALL else 0


def _request(request: JobRequest, name: str, since: str | None) -> JobRequest:
    said = {} if "name" in request.said else {"name": name}
    if since is None:  # the first run takes nothing over, whatever its reasons not to
        return request.but(**said).without(REDO_ON)
    return request.but(**said, **{SINCE_JOB: since})


def _about(row: tables.ScheduleFire) -> dict[str, str | None]:
    return {"cause": row.cause, "state": row.state, "job": row.job_id, "why": row.why}
