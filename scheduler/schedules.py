"""Sets up schedules: all that can be checked is checked before anything is written."""

import random
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.ids import new_id
from core.request import JobRequest
from core.schedule import REDO_ON, Mode, Schedule, ScheduleState, check_name
from registry.recording import Recording, recording_of
from scheduler.submit import Draft, JobDefaults, check, usable_output
from scheduler.timetable import Timetable
from store import fires, schedules, tables
from store.database import Database


@dataclass(frozen=True, slots=True)
class Drafted:
    """A checked schedule, the job that it would submit now, and the models that it names.

    Models that were named by a path are registered with the schedule, under their own names.
    """

    schedule: Schedule
    draft: Draft
    models: tuple[Recording, ...]

    @property
    def registers(self) -> tuple[str, ...]:
        """The names under which models get registered with the schedule."""
        return tuple(one.name for one in self.models if one.is_new)


def drafted(db: Database, schedule: Schedule, defaults: JobDefaults) -> Drafted:
    """Return the schedule as it would be kept, and the job that it would submit now.

    Its sources are absolute, and what its models don't heed is left out (`Draft.dropped` says so).
    Everything about the job is checked, as `submit` does; when it fires, everything is checked
    again but the models' files.

    Raises:
        UsageError: its times, its values or its job cannot be as they stand.
    """
    schedule.check()
    Timetable(schedule.cron, schedule.timezone)
    request = schedule.request
    if schedule.mode is Mode.NEW_ONLY:  # what it means beside there is at each fire but the first
        request = request.without(REDO_ON)
    draft = check(db, request, defaults)
    said = dict(draft.request.said)
    if schedule.mode is Mode.NEW_ONLY and REDO_ON in schedule.request.said:
        said[REDO_ON] = schedule.request.said[REDO_ON]
    if (output := said.get("output")) is not None:
        probe = new_id(random.SystemRandom())
        said["output"] = usable_output(db, output, draft.dataset.sources, probe)
    models = [recording_of(db, named) for named in said["model"]]
    said["model"] = tuple(one.name for one in models)
    if said.get("detector") is not None:
        models.append(recording_of(db, said["detector"]))
        said["detector"] = models[-1].name
    request = JobRequest(draft.dataset.texts, said)
    return Drafted(replace(schedule, request=request), draft, tuple(models))


def add(
    db: Database, name: str, drafted: Drafted, *, rng: random.Random | None = None
) -> tables.Schedule:
    """Add a schedule; it fires from its next time on.

    Raises:
        UsageError: the name is taken, or cannot be one.
    """
    check_name(name)
    schedule_id = new_id(rng or random.SystemRandom())
    schedule = drafted.schedule
    timetable = Timetable(schedule.cron, schedule.timezone)

    def write(session: Session) -> tables.Schedule:
        now = db.now(session)
        next_at = timetable.next(now)
        for model in drafted.models:
            model.write(session, now=now)
        return schedules.add(session, schedule_id, name, schedule, next_at=next_at, now=now)

    return db.write(write)


def edit(db: Database, before: tables.Schedule, drafted: Drafted) -> None:
    """Give a schedule another definition; its history keeps the old one.

    Its next time is worked out anew; runs that have begun go on as they are.

    Raises:
        UsageError: somebody else has changed or removed it since `before` was read.
    """
    schedule = drafted.schedule
    timetable = Timetable(schedule.cron, schedule.timezone)

    def write(session: Session) -> bool:
        now = db.now(session)
        next_at = timetable.next(now) if before.state == ScheduleState.ACTIVE else None
        edited = schedules.edit(
            session,
            before.id,
            schedule,
            revision=before.revision,
            state=before.state,
            next_at=next_at,
            now=now,
        )
        for model in drafted.models if edited else ():
            model.write(session, now=now)
        return edited

    if not db.write(write):
        raise UsageError(
            f"somebody else has changed the schedule {before.name!r}", hint="look at it, try again"
        )


def resume(db: Database, schedule: tables.Schedule) -> bool:
    """Let a paused schedule fire again, from its next time on; False if it is not paused."""
    definition = schedules.definition_of(schedule)
    timetable = Timetable(definition.cron, definition.timezone)

    def write(session: Session) -> bool:
        now = db.now(session)
        return schedules.resume(session, schedule.id, next_at=timetable.next(now), now=now)

    return db.write(write)


def fire_by_hand(db: Database, schedule: tables.Schedule) -> tables.ScheduleFire:
    """Fire a schedule now, paused or not; a scheduler submits the job with the fire's `job_id`.

    The run has no window. If the previous run has not ended, the schedule's `overlap` decides;
    `skip` refuses.

    Raises:
        UsageError: the previous run has not ended, or the schedule was removed.
    """
    job_id = new_id(random.SystemRandom())
    return db.write(lambda s: fires.by_hand(s, schedule, job_id, now=db.now(s)))
