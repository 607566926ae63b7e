"""What the shell proposes for a word that is being typed: jobs, models, paths."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Proposals = list[CompletionItem]
Completer = Callable[[click.Context, click.Parameter, str], Proposals]


def paths(_ctx: click.Context, _param: click.Parameter, typed: str) -> Proposals:
    """Leave it to the shell, which knows its files."""
    return [CompletionItem(typed, type="file")]


def jobs(ctx: click.Context, param: click.Parameter, typed: str) -> Proposals:
    """Propose ids and names of the newest jobs, else paths."""
    return _beginning(typed, ["latest", *_job_names()]) or paths(ctx, param, typed)


def models(ctx: click.Context, param: click.Parameter, typed: str) -> Proposals:
    """Propose registered and shipped models, else paths."""
    return _beginning(typed, _model_names()) or paths(ctx, param, typed)


def schedules(_ctx: click.Context, _param: click.Parameter, typed: str) -> Proposals:
    """Propose the names of schedules."""
    return _beginning(typed, _schedule_names())


def which_pictures(_ctx: click.Context, _param: click.Parameter, typed: str) -> Proposals:
    """Propose the words of `--annotate`."""
    return _beginning(typed, ("all", "none", "sample:1000"))


def official_models(_ctx: click.Context, _param: click.Parameter, typed: str) -> Proposals:
    """Propose the models of the catalogue."""
    from config import catalogue  # noqa: PLC0415 - needed only while somebody types

    return _beginning(typed, (model.name for model in catalogue.official_models()))


def _beginning(typed: str, names: Iterable[str]) -> Proposals:
    # The shell gets a line for each: a name with a line's end in it would be several, of any kind.
    return [
        CompletionItem(name)
        for name in names
        if name.isprintable() and name.lower().startswith(typed.lower())
    ]


def _job_names() -> list[str]:
    from store.jobs import job_names  # noqa: PLC0415 - needed only while somebody types

    return _read(job_names)


def _schedule_names() -> list[str]:
    from store.schedules import list_schedules  # noqa: PLC0415 - needed only while somebody types

    return _read(lambda session: [schedule.name for schedule in list_schedules(session)])


def _model_names() -> list[str]:
    # Needed only while somebody types.
    from registry.shipped import shipped_models  # noqa: PLC0415
    from store.models import list_models  # noqa: PLC0415

    registered = _read(lambda session: [model.name for model in list_models(session)])
    return [*registered, *sorted(shipped_models().keys() - set(registered))]


def _read(query: Callable[..., list[str]]) -> list[str]:
    """Return what the job database answers; nothing if there is none, or it is not at hand."""
    from config.settings import load_settings  # noqa: PLC0415
    from store.database import Database  # noqa: PLC0415

    # Whatever is wrong, the next command says so; a word that is being typed is no place for it.
    with suppress(Exception):
        url = load_settings().database_url
        if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
            return []
        db = Database(url, patience=0)
        try:
            return db.read(query)
        finally:
            db.close()
    return []
