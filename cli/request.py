"""Turns the command line, job files and other jobs into a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli.like import Inherited, like_file, like_job, named
from cli.session import say
from config.settings import Settings
from core.digests import Digests
from core.errors import UsageError
from core.job_file import SUFFIX, located, render_job
from core.option import Option
from core.request import OPTIONS, JobRequest, Said
from scheduler.submit import Draft, JobDefaults, check
from store.database import Database


def drafted(
    ctx: click.Context,
    db: Database,
    settings: Settings,
    sources: tuple[str, ...],
    like: str | None,
) -> Draft:
    """Return the checked request that a command's arguments make, and say what it left out.

    What was typed wins over a job file given as the only source, which wins over `like`.

    Raises:
        click.UsageError: the source is missing.
        UsageError: the model is missing, or the request cannot be carried out as it stands.
    """
    asked = asked_for(ctx, db, sources, like)
    check_commands(asked.request.said, settings)
    draft = check(db, asked.request, job_defaults(settings))
    for why in draft.dropped:
        say(f"left out: {why}")
    if asked.like is not None and asked.like.digests is not None:
        _say_changes(like or "", asked.like.digests, Digests.of(draft.model, draft.options))
    return draft


@dataclass(frozen=True, slots=True)
class Asked:
    """An unchecked request, the job that it is like, and the `[schedule]` of its job file."""

    request: JobRequest
    like: Inherited | None
    schedule: Mapping[str, Any]


def asked_for(
    ctx: click.Context, db: Database, sources: tuple[str, ...], like: str | None
) -> Asked:
    """Return the request that a command's arguments make, see `drafted`.

    Raises:
        click.UsageError: the source is missing.
        UsageError: the model is missing, or a file or job cannot be taken over.
    """
    files = [source for source in sources if source.lower().endswith(SUFFIX)]
    if not sources and like is None:
        raise click.UsageError("Missing argument 'SOURCE'.", ctx)
    if files and len(sources) > 1:
        raise UsageError(
            f"{files[0]!r} is a job file, which names its own sources",
            hint=f"run it alone, or `--like {files[0]}` over other sources",
        )
    known = like_job(db, like) if like is not None else None
    inherited = {} if known is None else dict(known.said)
    asked = () if known is None else known.sources
    schedule = {} if known is None else known.schedule
    if files:
        file = like_file(Path(files[0]))
        inherited |= file.said
        asked = file.sources or asked
        schedule = {**schedule, **file.schedule}
    elif sources:
        asked = sources
    said = typed(ctx)
    if not asked:
        raise click.UsageError(f"{files[0] if files else like} names no source.", ctx)
    if "model" not in inherited | said:
        raise UsageError(
            "Missing option '--model'.",
            hint="`regatta models list` shows the models that are here, "
            "`regatta models catalogue` those that can be downloaded",
        )
    request = JobRequest(asked, inherited | said, frozenset(inherited.keys() - said.keys()))
    return Asked(request, known, schedule)


def saved(db: Database, draft: Draft, path: Path) -> None:
    """Write a job file of a checked request.

    Raises:
        UsageError: it exists already or cannot be written, or a model has no name to write.
    """
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"{path} would not be taken for a job file", hint=f"end it in {SUFFIX}")
    text = render_job(draft.dataset.texts, named(db, draft.request.said))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    say(f"wrote {path}; go on with: regatta run {path}")


def job_defaults(settings: Settings) -> JobDefaults:
    """Return what the settings say about jobs."""
    return JobDefaults.of(settings)


def typed(ctx: click.Context, options: Mapping[str, Option] = OPTIONS) -> dict[str, Any]:
    """Return which of these options were typed on the command line, with absolute paths."""
    return {
        name: located(each, ctx.params[name], Path.cwd())
        for name, each in options.items()
        if name in ctx.params and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def check_commands(said: Said, settings: Settings) -> None:
    """Refuse a command that no scheduler with these settings would run.

    Raises:
        UsageError: there is one.
    """
    if "notify_command" in said and not settings.notify_commands:
        raise UsageError(
            "--notify-command: schedulers run no commands for jobs here",
            hint="a webhook (--notify) needs no permission; the setting notify_commands, here and "
            "of the schedulers, allows commands",
        )


def _say_changes(like: str, before: Digests, now: Digests) -> None:
    if changed := now.changed(before):
        rows = "rows may differ" if now.may_change_rows(before) else "the same rows"
        say(f"not as in {like}: {', '.join(changed)} ({rows})")
