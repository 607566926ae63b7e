"""`regatta du`: what jobs, models and the home take up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cli.complete import jobs as complete_jobs
from cli.options import format_option
from cli.session import job_of, opened, say
from cli.show.output import chosen, print_records
from cli.show.size import readable_size
from config.settings import Settings
from core.errors import RegattaError
from core.times import iso, to_the_second
from scheduler.usage import unreferenced_models, unreferenced_outputs, usage_of
from store.database import Database
from store.jobs import list_jobs
from store.tables import Job

_COLUMNS = ("what", "name", "state", "files", "size", "created", "where")
_OF_HOME = (("samples", "demo"), ("logs", "logs"))


@click.command(epilog="Example: regatta du; regatta du latest")
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_jobs)
@format_option
def du(*, jobs: tuple[str, ...], form: str | None) -> None:
    """Show how many files and bytes the outputs of jobs hold.

    Without a JOB, also what else lies in the home: downloaded models, samples, logs; and outputs
    and models to which nothing refers any more (`regatta prune --unreferenced` removes them).
    """
    form = chosen(form)
    with opened() as (settings, db):
        found = [job_of(db, ref) for ref in jobs] or _all(db)
        records = _of_jobs(found) if jobs else _everything(db, settings, found)
        print_records(map(_shown, records) if form == "table" else records, _COLUMNS, form)


def _all(db: Database) -> list[Job]:
    """Return all jobs, except compactions in the outputs of others: those are measured there."""
    found = db.read(lambda s: list_jobs(s, compactions=True))
    outputs = tuple(f"{job.output}/" for job in found)
    return [job for job in found if not job.output.startswith(outputs)]


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    created = record["created"] and to_the_second(record["created"])
    return {**record, "size": _in_words(record["size"]), "created": created}


def _everything(db: Database, settings: Settings, jobs: list[Job]) -> Iterator[dict[str, Any]]:
    yield from _of_jobs(jobs)
    lost = [*unreferenced_outputs(db, settings)]
    unused = [*unreferenced_models(db, settings)]
    yield from (_record("unreferenced output", path.name, str(path)) for path in lost)
    yield from (_record("unreferenced model", path.name[:12], str(path)) for path in unused)
    yield _record("models", "", str(settings.models_directory))
    yield from (_record(what, "", str(settings.home / name)) for what, name in _OF_HOME)
    if settings.database_url.startswith("sqlite:///"):
        yield _of_database(Path(settings.database_url.removeprefix("sqlite:///")))


def _of_jobs(jobs: list[Job]) -> Iterator[dict[str, Any]]:
    for job in jobs:
        about = {"title": job.name, "state": job.state.value, "created": iso(job.created_at)}
        yield _record("job", job.id, job.output) | about


def _record(what: str, name: str, where: str) -> dict[str, Any]:
    try:
        used = usage_of(where)
    except RegattaError as error:  # a bucket that is away says nothing about the others
        say(f"{where} cannot be measured: {error}")
        used = None
    return {
        "what": what,
        "name": name,
        "state": None,
        "files": used and used.objects,
        "size": used and used.size,
        "created": None,
        "where": where,
    }


def _in_words(size: int | None) -> str | None:
    return None if size is None else readable_size(size)


def _of_database(path: Path) -> dict[str, Any]:
    files = [each for each in path.parent.glob(f"{path.name}*") if each.is_file()]
    size = sum(each.stat().st_size for each in files)
    record = {"what": "database", "name": "", "state": None, "files": len(files), "size": size}
    return {**record, "created": None, "where": str(path)}
