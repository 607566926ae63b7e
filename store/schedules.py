"""Schedules: add, find, change, and what their times have brought.

Whoever writes a schedule says when it fires next: times come from `scheduler.timetable`.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.near import did_you_mean
from core.schedule import FireState, Schedule, ScheduleState
from store import tables
from store.rows import changed, new_or_known
from store.tables import Job, ScheduleFire, ScheduleRevision

BEGUN = (FireState.SUBMITTED, FireState.HELD)
"""Fires that have brought a job."""

COMING = (FireState.FIRING, FireState.QUEUED)
"""Fires that are still to bring one."""


def add(
    session: Session,
    schedule_id: str,
    name: str,
    schedule: Schedule,
    *,
    next_at: float | None,
    now: float,
) -> tables.Schedule:
    """Add a schedule, active; repeating it changes nothing.

    Raises:
        UsageError: the name is taken.
    """
    known = session.get(tables.Schedule, schedule_id)
    if known is not None:
        return known
    definition = schedule.to_json()
    values = {
        "id": schedule_id,
        "name": name,
        "definition": definition,
        "revision": 1,
        "state": ScheduleState.ACTIVE.value,
        "next_at": next_at,
        "created_at": now,
        "changed_at": now,
    }
    statement = new_or_known(session, tables.Schedule, values).on_conflict_do_nothing()
    if session.scalar(statement.returning(tables.Schedule.id)) is None:
        raise UsageError(
            f"there is a schedule {name!r}",
            hint=f"choose another name, or `regatta schedule edit {name}`",
        )
    _keep_revision(session, schedule_id, 1, schedule, now=now)
    return session.get_one(tables.Schedule, schedule_id)


def find(session: Session, name: str) -> tables.Schedule:
    """Return the schedule of this name.

    Raises:
        UsageError: there is none.
    """
    query = select(tables.Schedule).where(tables.Schedule.name == name)
    found = session.scalars(query.execution_options(populate_existing=True)).first()
    if found is None:
        known = session.scalars(select(tables.Schedule.name)).all()
        raise UsageError(
            f"there is no schedule {name!r}",
            hint=did_you_mean(name, known) or "`regatta schedule list` shows the names",
        )
    return found


def list_schedules(session: Session) -> Sequence[tables.Schedule]:
    """Return all schedules by name."""
    return session.scalars(select(tables.Schedule).order_by(tables.Schedule.name)).all()


def definition_of(schedule: tables.Schedule) -> Schedule:
    """Return what a schedule's row defines.

    Raises:
        NewerError: a newer version wrote it.
    """
    return Schedule.from_json(schedule.definition)


def edit(
    session: Session,
    schedule_id: str,
    schedule: Schedule,
    *,
    revision: int,
    state: str,
    next_at: float | None,
    now: float,
) -> bool:
    """Give a schedule a new definition; the old one stays in its history.

    `revision` is that which was edited, and `state` the one for which `next_at` was worked out.
    False: somebody else was faster, or removed it.
    """
    edited = changed(
        session,
        update(tables.Schedule)
        .where(
            tables.Schedule.id == schedule_id,
            tables.Schedule.revision == revision,
            tables.Schedule.state == state,
        )
        .values(
            definition=schedule.to_json(), revision=revision + 1, next_at=next_at, changed_at=now
        ),
    )
    if edited:
        _keep_revision(session, schedule_id, revision + 1, schedule, now=now)
    return edited


def pause(session: Session, schedule_id: str, *, now: float) -> bool:
    """Keep a schedule from firing; its runs go on. False if it is paused already."""
    return _move(session, schedule_id, ScheduleState.ACTIVE, ScheduleState.PAUSED, None, now)


def resume(session: Session, schedule_id: str, *, next_at: float | None, now: float) -> bool:
    """Let a paused schedule fire again; times that passed meanwhile are not made up for."""
    return _move(session, schedule_id, ScheduleState.PAUSED, ScheduleState.ACTIVE, next_at, now)


def remove(session: Session, schedule_id: str) -> bool:
    """Remove a schedule with its history; its jobs stay. False if there is none."""
    query = delete(tables.Schedule).where(tables.Schedule.id == schedule_id)
    return changed(session, query)


def revisions_of(session: Session, schedule_id: str) -> Sequence[ScheduleRevision]:
    """Return all definitions that a schedule has had, newest first."""
    query = select(ScheduleRevision).where(ScheduleRevision.schedule_id == schedule_id)
    return session.scalars(query.order_by(ScheduleRevision.revision.desc())).all()


def revision_of(session: Session, fire: ScheduleFire) -> Schedule:
    """Return what a schedule's definition was when it fired.

    Raises:
        NewerError: a newer version wrote it.
    """
    row = session.get_one(ScheduleRevision, (fire.schedule_id, fire.revision))
    return Schedule.from_json(row.definition)


def fires_of(
    session: Session,
    schedule_id: str,
    *,
    states: Collection[FireState] = (),
    limit: int | None = None,
) -> Sequence[ScheduleFire]:
    """Return what a schedule's times have brought, newest first."""
    query = select(ScheduleFire).where(ScheduleFire.schedule_id == schedule_id)
    if states:
        query = query.where(ScheduleFire.state.in_(states))
    query = query.order_by(ScheduleFire.due_at.desc()).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def runs_of(session: Session, schedule_id: str, *, limit: int | None = None) -> Sequence[Job]:
    """Return the jobs that a schedule has brought and that are still there, newest first."""
    query = select(Job).join(ScheduleFire, ScheduleFire.job_id == Job.id)
    query = query.where(ScheduleFire.schedule_id == schedule_id)
    query = query.order_by(ScheduleFire.due_at.desc()).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def last_ends(session: Session) -> dict[str, float]:
    """Return when a run of each schedule last ended, in seconds since the epoch, by id."""
    query = select(ScheduleFire.schedule_id, func.max(Job.finished_at))
    query = query.join(Job, Job.id == ScheduleFire.job_id)
    rows = session.execute(query.group_by(ScheduleFire.schedule_id))
    return {schedule_id: end for schedule_id, end in rows if end is not None}


def _move(
    session: Session,
    schedule_id: str,
    before: ScheduleState,
    after: ScheduleState,
    next_at: float | None,
    now: float,
) -> bool:
    return changed(
        session,
        update(tables.Schedule)
        .where(tables.Schedule.id == schedule_id, tables.Schedule.state == before.value)
        .values(state=after.value, next_at=next_at, changed_at=now),
    )


def _keep_revision(
    session: Session, schedule_id: str, revision: int, schedule: Schedule, *, now: float
) -> None:
    values = {
        "schedule_id": schedule_id,
        "revision": revision,
        "definition": schedule.to_json(),
        "changed_at": now,
    }
    session.execute(new_or_known(session, ScheduleRevision, values).on_conflict_do_nothing())
