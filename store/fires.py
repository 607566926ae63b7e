"""What the times of schedules bring: each step compares before it changes, so anybody may take it.

A time becomes a row, `firing` or `queued`, in the transaction that moves its schedule on to the
next time; `submitted` in that which writes its job. Whoever decides about a schedule's runs holds
the lock of its row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.schedule import Cause, FireState, Overlap, Schedule, ScheduleState
from core.states import ENDED_JOBS, LIVE_JOBS, JobMoves, JobState
from core.times import iso
from store import jobs, tables
from store.rows import changed, column_text, new_or_known
from store.schedules import BEGUN, COMING
from store.tables import Job, ScheduleFire

MOST_QUEUED = 24
"""How many runs of a schedule may wait for the one before them."""

_AT_ONCE: tuple[FireState, str | None] = (FireState.FIRING, None)
_STEP = 0.001  # between two fires by hand in the same instant


@dataclass(frozen=True, slots=True)
class NewFire:
    """A time at which a schedule is to fire; `skipped` says why it does not after all."""

    due_at: float
    cause: Cause
    job_id: str
    pause_at: float | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to do about schedules: ids of schedules, and keys of fires."""

    due: Sequence[str] = ()
    firing: Sequence[tuple[str, float]] = ()
    queued: Sequence[str] = ()
    closing: Sequence[tuple[str, float]] = ()


def waiting(session: Session, *, now: float) -> Waiting:
    """Return what there is to do now, from indexes alone."""
    if not session.scalar(select(exists(select(tables.Schedule.id)))):
        return Waiting()
    key = (ScheduleFire.schedule_id, ScheduleFire.due_at)
    state = ScheduleFire.state
    active = tables.Schedule.state == ScheduleState.ACTIVE.value
    due = select(tables.Schedule.id).where(active, tables.Schedule.next_at <= now)
    firing = select(*key).where(state == FireState.FIRING.value, ScheduleFire.try_at <= now)
    queued = select(ScheduleFire.schedule_id).where(state == FireState.QUEUED.value)
    closing = select(*key).where(state == FireState.SUBMITTED.value, ScheduleFire.pause_at <= now)
    return Waiting(
        session.scalars(due.order_by(tables.Schedule.next_at)).all(),
        [(row[0], row[1]) for row in session.execute(firing.order_by(ScheduleFire.due_at))],
        session.scalars(queued.distinct()).all(),
        [(row[0], row[1]) for row in session.execute(closing)],
    )


def fire(
    session: Session,
    seen: tables.Schedule,
    overlap: Overlap,
    times: Sequence[NewFire],
    *,
    next_at: float | None,
    now: float,
) -> list[ScheduleFire] | None:
    """Record a schedule's times that have come, and move it on to the next.

    Held runs go on if the window of the last time is open. A time that was recorded before, when
    the clock was ahead, is passed over.

    Returns:
        The new rows, or None if the schedule is no longer as it was `seen`.
    """
    mine = changed(
        session,
        update(tables.Schedule)
        .where(
            tables.Schedule.id == seen.id,
            tables.Schedule.state == ScheduleState.ACTIVE.value,
            tables.Schedule.revision == seen.revision,
            tables.Schedule.next_at == seen.next_at,
        )
        .values(next_at=next_at),
    )
    if not mine:
        return None
    if not times:
        return []
    _give_up(session, seen.id, before=times[-1].due_at)
    closes = times[-1].pause_at
    if overlap is not Overlap.CANCEL_PREVIOUS and (closes is None or closes > now):
        _release(session, seen.id, closes)
    made = [_open(session, seen, overlap, time, now=now) for time in times]
    return [row for row in made if row is not None]


def by_hand(session: Session, seen: tables.Schedule, job_id: str, *, now: float) -> ScheduleFire:
    """Fire a schedule now, whether it is paused or not; repeating it changes nothing.

    Raises:
        UsageError: the previous run has not ended, or the schedule was removed.
    """
    query = select(tables.Schedule).where(tables.Schedule.id == seen.id).with_for_update()
    schedule = session.scalars(query.execution_options(populate_existing=True)).first()
    if schedule is None:
        raise UsageError(f"there is no schedule {seen.name!r}")
    known = session.scalars(select(ScheduleFire).where(ScheduleFire.job_id == job_id)).first()
    if known is not None:
        return known
    overlap = Schedule.from_json(schedule.definition).overlap
    live = live_fires(session, schedule.id)
    if live and overlap is Overlap.SKIP:
        raise UsageError(
            f"the run of {iso(live[0].due_at)} has not ended (job {live[0].job_id})",
            hint="wait for it or cancel it; with --overlap queue runs wait for one another",
        )
    row = None
    while row is None:
        row = _open(session, schedule, overlap, NewFire(now, Cause.BY_HAND, job_id), now=now)
        now += _STEP
    return row


def pull_back_tries(session: Session, *, latest: float) -> None:
    """Let jobs be tried by `latest` whose next try lies further ahead: the clock was set back."""
    session.execute(
        update(ScheduleFire)
        .where(ScheduleFire.state == FireState.FIRING.value, ScheduleFire.try_at > latest)
        .values(try_at=latest)
    )


def live_fires(
    session: Session, schedule_id: str, *, coming: Collection[FireState] = COMING
) -> Sequence[ScheduleFire]:
    """Return the fires whose job is still to come or has not ended, in order.

    `coming` are the states that count as still to come.
    """
    job = select(Job.id).where(Job.id == ScheduleFire.job_id, Job.state.not_in(ENDED_JOBS))
    return session.scalars(
        select(ScheduleFire)
        .where(
            ScheduleFire.schedule_id == schedule_id,
            ScheduleFire.state.in_([each.value for each in coming])
            | (ScheduleFire.state.in_([each.value for each in BEGUN]) & job.exists()),
        )
        .order_by(ScheduleFire.due_at)
        .execution_options(populate_existing=True)
    ).all()


def take(session: Session, key: tuple[str, float], *, until: float, now: float) -> bool:
    """Take a `firing` row, to submit its job; nobody else does before `until`."""
    return changed(
        session,
        update(ScheduleFire)
        .where(*_is(key), ScheduleFire.state == FireState.FIRING.value, ScheduleFire.try_at <= now)
        .values(try_at=until),
    )


def get(session: Session, key: tuple[str, float]) -> ScheduleFire | None:
    """Return a fire; None if its schedule was removed."""
    return session.get(ScheduleFire, key, populate_existing=True)


def submitted(session: Session, key: tuple[str, float]) -> bool:
    """Note that a fire's job is written, in the transaction that writes it.

    False: it is no longer to be written, or is there already.
    """
    return _move(session, key, FireState.FIRING, FireState.SUBMITTED, why=None, try_at=None)


def failed(session: Session, key: tuple[str, float], why: str) -> bool:
    """Note that a fire's job cannot be written as things stand."""
    return _move(
        session, key, FireState.FIRING, FireState.FAILED, why=column_text(why), try_at=None
    )


def put_off(session: Session, key: tuple[str, float], why: str, *, try_at: float) -> bool:
    """Note why a fire's job could not be written for the moment, and when to try again."""
    return _move(
        session,
        key,
        FireState.FIRING,
        FireState.FIRING,
        why=column_text(why),
        try_at=try_at,
        tries=ScheduleFire.tries + 1,
    )


def keep_outcome(session: Session, job_id: str, what: str) -> None:
    """Keep what a fire's job did, which is about to be removed, for the history."""
    query = update(ScheduleFire).where(ScheduleFire.job_id == job_id)
    session.execute(query.values(why=column_text(what), pause_at=None))


@dataclass(frozen=True, slots=True)
class Turn:
    """That a queued run may begin, as the schedule is defined in `revision`, until `pause_at`."""

    key: tuple[str, float]
    revision: int
    pause_at: float | None


def turn(session: Session, schedule_id: str, *, now: float, is_locked: bool = False) -> Turn | None:
    """Return whose turn it is among the queued runs of a schedule, if it has come.

    It has once the runs before it have ended, a window is open if the schedule has windows, and
    the schedule is not paused. `is_locked` keeps it so until the transaction ends.

    Raises:
        NewerError: a newer version wrote the schedule.
    """
    query = select(tables.Schedule).where(tables.Schedule.id == schedule_id)
    query = query.with_for_update() if is_locked else query
    schedule = session.scalars(query.execution_options(populate_existing=True)).first()
    if schedule is None or live_fires(session, schedule_id, coming=(FireState.FIRING,)):
        return None
    first = next(iter(live_fires(session, schedule_id)), None)
    if first is None:
        return None
    closes = None
    if first.cause != Cause.BY_HAND:
        if schedule.state != ScheduleState.ACTIVE:
            return None
        if Schedule.from_json(schedule.definition).until is not None:
            closes = _open_window(session, schedule_id, now=now)
            if closes is None:
                return None
    return Turn((schedule_id, first.due_at), schedule.revision, closes)


def promote(session: Session, schedule_id: str, *, now: float) -> bool:
    """Let the first queued run of a schedule begin, if its turn has come."""
    its = turn(session, schedule_id, now=now, is_locked=True)
    return its is not None and _move(
        session,
        its.key,
        FireState.QUEUED,
        FireState.FIRING,
        revision=its.revision,
        pause_at=its.pause_at,
        why=None,
        try_at=now,
    )


def close_window(session: Session, key: tuple[str, float], why: str, *, now: float) -> bool:
    """Pause a run whose window has closed; False if there was nothing to pause.

    It is decided once: a run that has ended by now, or that a person has paused, is no longer
    the window's affair, whatever a person does with it next.
    """
    row = get(session, key)
    if row is None or row.job_id is None:
        return False
    is_live = session.scalar(select(Job.state).where(Job.id == row.job_id)) in LIVE_JOBS
    decided = changed(
        session,
        update(ScheduleFire)
        .where(
            *_is(key),
            ScheduleFire.state == FireState.SUBMITTED.value,
            ScheduleFire.pause_at == row.pause_at,
        )
        .values(
            state=(FireState.HELD if is_live else FireState.SUBMITTED).value,
            pause_at=None,
            why=column_text(why) if is_live else None,
        ),
    )
    return decided and is_live and jobs.pause(session, row.job_id, now=now, why=why)


def pull_back(session: Session, seen: tables.Schedule, *, next_at: float | None) -> bool:
    """Bring a schedule's next time forward: the clock was set back."""
    return changed(
        session,
        update(tables.Schedule)
        .where(
            tables.Schedule.id == seen.id,
            tables.Schedule.state == ScheduleState.ACTIVE.value,
            tables.Schedule.revision == seen.revision,
            tables.Schedule.next_at == seen.next_at,
        )
        .values(next_at=next_at),
    )


def _open(
    session: Session, schedule: tables.Schedule, overlap: Overlap, new: NewFire, *, now: float
) -> ScheduleFire | None:
    """Write a time's row as the runs before it let it begin; None if there is one already."""
    state, why = _AT_ONCE
    if new.skipped is not None:
        state, why = FireState.SKIPPED, new.skipped
    elif live := live_fires(session, schedule.id):
        state, why = _beside(session, live, overlap, new, now=now)
    values = {
        "schedule_id": schedule.id,
        "due_at": new.due_at,
        "revision": schedule.revision,
        "cause": new.cause.value,
        "state": state.value,
        "job_id": None if state is FireState.SKIPPED else new.job_id,
        "pause_at": new.pause_at,
        "why": why,
        "tries": 0,
        "try_at": now if state is FireState.FIRING else None,
        "fired_at": now,
    }
    statement = new_or_known(session, ScheduleFire, values).on_conflict_do_nothing()
    if session.scalar(statement.returning(ScheduleFire.due_at)) is None:
        return None
    return get(session, (schedule.id, new.due_at))


def _beside(
    session: Session, live: Sequence[ScheduleFire], overlap: Overlap, new: NewFire, *, now: float
) -> tuple[FireState, str | None]:
    """Return what becomes of a time while earlier runs have not ended, and why."""
    last = live[-1]
    named = f"the run of {iso(last.due_at)} has not ended"
    if new.cause is Cause.CAUGHT_UP:
        overlap = Overlap.QUEUE  # those that are made up for come one after another
    if overlap is Overlap.SKIP:
        return FireState.SKIPPED, named
    if overlap is Overlap.CANCEL_PREVIOUS:
        for each in live:
            _call_off(session, each, f"overtaken by the run of {iso(new.due_at)}", now=now)
        any_job = live_fires(session, last.schedule_id)
        return (FireState.QUEUED, f"{named}: it is cancelled") if any_job else _AT_ONCE
    if sum(each.state == FireState.QUEUED for each in live) >= MOST_QUEUED:
        return FireState.SKIPPED, f"{named}, and {MOST_QUEUED} runs are queued behind it"
    return FireState.QUEUED, named


def _call_off(session: Session, row: ScheduleFire, why: str, *, now: float) -> None:
    key = (row.schedule_id, row.due_at)
    if row.state in COMING:
        _move(session, key, FireState(row.state), FireState.SKIPPED, why=why, try_at=None)
        return
    if row.job_id is not None:
        jobs.stop(session, row.job_id, JobMoves.CANCEL, now=now)
    # Nothing pauses it any more, or lets it go on.
    _move(session, key, FireState(row.state), FireState.SUBMITTED, why=why, pause_at=None)


def _give_up(session: Session, schedule_id: str, *, before: float) -> None:
    """Let go of jobs that could not be written until the schedule's next time."""
    session.execute(
        update(ScheduleFire)
        .where(
            ScheduleFire.schedule_id == schedule_id,
            ScheduleFire.due_at < before,
            ScheduleFire.state == FireState.FIRING.value,
            ScheduleFire.tries > 0,
        )
        .values(state=FireState.FAILED.value, try_at=None)
    )


def _release(session: Session, schedule_id: str, pause_at: float | None) -> None:
    """Let held runs go on until their new window closes, except those that a person steers."""
    held = select(ScheduleFire).where(
        ScheduleFire.schedule_id == schedule_id, ScheduleFire.state == FireState.HELD.value
    )
    for row in session.scalars(held.execution_options(populate_existing=True)).all():
        job = None if row.job_id is None else session.get(Job, row.job_id, populate_existing=True)
        is_ours = job is not None and job.state is JobState.PAUSED and job.error == row.why
        released = is_ours and job is not None and jobs.resume(session, job.id)
        _move(
            session,
            (schedule_id, row.due_at),
            FireState.HELD,
            FireState.SUBMITTED,
            pause_at=pause_at if released else None,
            why=None,
        )


def _open_window(session: Session, schedule_id: str, *, now: float) -> float | None:
    """Return when the window closes that the schedule's last time opened; None if it has."""
    return session.scalar(
        select(func.max(ScheduleFire.pause_at)).where(
            ScheduleFire.schedule_id == schedule_id,
            ScheduleFire.due_at <= now,
            ScheduleFire.pause_at > now,
        )
    )


def _is(key: tuple[str, float]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ScheduleFire.schedule_id == key[0], ScheduleFire.due_at == key[1]


def _move(
    session: Session, key: tuple[str, float], before: FireState, after: FireState, **values: Any
) -> bool:
    """Change a fire if it is in the state `before`."""
    return changed(
        session,
        update(ScheduleFire)
        .where(*_is(key), ScheduleFire.state == before.value)
        .values(state=after.value, **values),
    )
