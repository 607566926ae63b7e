"""Schedules, their times and what came of them in words, and as records."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from cli.schedule.timing import TIMING, as_said
from core.option import Option
from core.options import ModelRef
from core.request import OPTIONS
from core.schedule import FireState, Schedule
from core.times import iso
from core.values import plain_value
from core.wording import count
from scheduler.timetable import Timetable
from store import schedules
from store.jobs import Tally, tally
from store.outcome import outcome as outcome_of_job
from store.tables import Job, ScheduleFire, ScheduleRevision
from store.tables import Schedule as Row

Record = dict[str, Any]

_PENDING = {
    FireState.FIRING: "about to begin",
    FireState.QUEUED: "waits",
}


def local(moment: float | None, zone: str) -> str | None:
    """Return a time in a zone, to the minute: `2026-11-29 02:00 CET`."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")


def times_of(schedule: Schedule, *, after: float, most: int) -> list[float]:
    """Return the next times of a schedule, in seconds since the epoch."""
    return list(islice(Timetable(schedule.cron, schedule.timezone).after(after), most))


def when(schedule: Schedule) -> str:
    """Return when a schedule fires: `At 02:00 every day (Europe/Berlin), until 06:00`."""
    said = Timetable(schedule.cron, schedule.timezone).explain()
    return f"{said}, until {schedule.until}" if schedule.until else said


def outcome(fire: ScheduleFire, job: Job | None, counts: Tally | None) -> str:
    """Return what came of a fire: what its job did, or why there is none."""
    state = FireState(fire.state)
    if state in _PENDING:
        return f"{_PENDING[state]}: {fire.why}" if fire.why else _PENDING[state]
    if state in {FireState.SKIPPED, FireState.FAILED}:
        return f"{state.value}: {fire.why}" if fire.why else state.value
    if job is None or counts is None:
        return f"{fire.why} (removed since)" if fire.why else "its job was removed"
    return outcome_of_job(job, counts)


def fire_record(fire: ScheduleFire, job: Job | None, counts: Tally | None) -> Record:
    """Return a fire as a record; times are ISO 8601."""
    return {
        "due": iso(fire.due_at),
        "fired": iso(fire.fired_at),
        "cause": fire.cause,
        "state": fire.state,
        "job": fire.job_id,
        "job_state": None if job is None else job.state.value,
        "outcome": outcome(fire, job, counts),
        "why": fire.why,
        "revision": fire.revision,
    }


def fire_records(session: Session, fires: Sequence[ScheduleFire]) -> list[Record]:
    """Return fires as records, with the jobs that are still there."""
    ids = {fire.job_id for fire in fires if fire.job_id is not None}
    jobs = {job_id: job for job_id in ids if (job := session.get(Job, job_id)) is not None}
    counts = tally(session, list(jobs.values()))
    return [
        fire_record(fire, jobs.get(fire.job_id or ""), counts.get(fire.job_id or ""))
        for fire in fires
    ]


def schedule_record(session: Session, row: Row, *, now: float, times: int = 1) -> Record:
    """Return a schedule as a record, with its last fire and its next times."""
    schedule = schedules.definition_of(row)
    last = fire_records(session, schedules.fires_of(session, row.id, limit=1))
    after = now if row.next_at is None else row.next_at - 1
    is_due = row.next_at is not None
    return {
        "name": row.name,
        "state": row.state,
        "when": when(schedule),
        **as_said(schedule),
        "next": [iso(at) for at in times_of(schedule, after=after, most=times)] if is_due else [],
        "last": last[0] if last else None,
        "sources": list(schedule.request.sources),
        "options": options_of(schedule),
        "revision": row.revision,
        "created": iso(row.created_at),
        "changed": iso(row.changed_at),
    }


def options_of(schedule: Schedule) -> dict[str, Any]:
    """Return what a schedule says about its jobs, by the names of the options."""
    said = schedule.request.said
    return {each.name: _plain(said[key]) for key, each in OPTIONS.items() if key in said}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(one, str | ModelRef) for one in value):
        plain = [_plain(one) for one in value]
        return plain[0] if len(plain) == 1 else plain
    if isinstance(value, ModelRef):
        return f"{value.name} ({value.digest[:12]})"
    return plain_value(value)


def changes(before: Schedule | None, after: Schedule) -> str:
    """Return what an edit changed: `cron 0 2 * * * -> 0 3 * * *, threshold 0.4`."""
    if before is None:
        return "added"
    old, new = _flat(before), _flat(after)
    found = []
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) != new.get(name):
            was, now = old.get(name), new.get(name)
            found.append(f"{name} {_or_dash(was)} -> {_or_dash(now)}")
    return ", ".join(found) or "nothing changed"


def _or_dash(value: Any) -> str:
    if value is None:
        return "-"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _flat(schedule: Schedule) -> dict[str, Any]:
    names: Mapping[str, Option] = TIMING
    timing = {names[key].name: value for key, value in as_said(schedule).items()}
    return {"source": list(schedule.request.sources), **timing, **options_of(schedule)}


def revision_records(revisions: Sequence[ScheduleRevision]) -> list[Record]:
    """Return a schedule's revisions, newest first, as records: what each of them changed."""
    definitions = [Schedule.from_json(each.definition) for each in revisions]
    return [
        {
            "revision": each.revision,
            "changed": iso(each.changed_at),
            "what": changes(before, definition),
        }
        for each, definition, before in zip(
            revisions, definitions, [*definitions[1:], None], strict=True
        )
    ]


def line(record: Record) -> Record:
    """Return a schedule's record as a line of a table, its times in its zone."""
    last, zone = record["last"], record["tz"]
    coming = _short(record["next"][0], zone, "%d %b %H:%M %Z") if record["next"] else None
    return {
        **record,
        "when": record["when"].replace(f" ({zone})", ""),
        "next": coming or record["state"],
        "last": last and _short(last["due"], zone, "%d %b %H:%M"),
        "outcome": last and last["outcome"],
    }


def first_and_last(record: Record) -> Record:
    """Return the next and the last time of a schedule's record as single values."""
    last = record["last"]
    return {
        "next": next(iter(record["next"]), None),
        "last": last and last["due"],
        "outcome": last and last["outcome"],
    }


def _short(text: str, zone: str, form: str) -> str:
    return datetime.fromisoformat(text).astimezone(ZoneInfo(zone)).strftime(form)


def in_words(record: Record) -> Record:
    """Return a schedule's record as a page, its times in its zone; what is not said is left out."""
    last, zone = record["last"], record["tz"]
    shown = {
        "name": record["name"],
        "state": record["state"],
        "when": record["when"],
        "next": [zoned(at, zone) for at in record["next"]],
        "last": last and f"{zoned(last['due'], zone)}, {last['cause']}, job {last['job'] or '-'}",
        "outcome": last and last["outcome"],
        "source": record["sources"],
        "options": record["options"],
        **{TIMING[key].name: record[key] for key in TIMING if key not in {"keep", "keep_days"}},
        "keep": keeps(record["keep"], record["keep_days"]),
        "revision": f"{record['revision']}, since {zoned(record['changed'], zone)}",
    }
    if record["stays"]:
        shown["stays"] = [f"{job}: {why}" for job, why in record["stays"].items()]
    return {key: value for key, value in shown.items() if value is not None}


def keeps(runs: int | None, days: float | None) -> str:
    """Return what a schedule keeps, in words."""
    said = []
    if runs is not None:
        said.append(f"the last {count(runs, 'run')}" if runs != 1 else "the last run")
    if days is not None:
        said.append(f"those of the last {days:g} days")
    return " and ".join(said) or "all runs"


def in_zone(record: Record, zone: str) -> Record:
    """Return a fire's or a revision's record with its times in a zone."""
    if "changed" in record:
        return {**record, "changed": zoned(record["changed"], zone)}
    due, fired = zoned(record["due"], zone), zoned(record["fired"], zone)
    at = datetime.fromisoformat(record["fired"]).astimezone(ZoneInfo(zone))
    same_day = due is not None and fired is not None and due[:10] == fired[:10]
    return {**record, "due": due, "fired": at.strftime("%H:%M:%S") if same_day else fired}


def zoned(text: str, zone: str) -> str | None:
    """Return a time that `iso` wrote in a zone."""
    return local(datetime.fromisoformat(text).timestamp(), zone)
