"""What `models add` and `models pull` share: registering the model behind an address."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from cli.replacement import consequences_of
from cli.session import opened, say
from cli.show.transfer import is_shown, transfer
from cli.tryout import try_model
from core.errors import UsageError
from core.options import ModelRef
from core.ways import Way
from registry.cards import Tried, composed_card, model_card
from registry.chosen_model import choose_composed, describe
from registry.composition import read_composition
from registry.download import download_model
from registry.web import without_secrets
from store.models import add_model
from store.verdicts import Verdict, give_verdict
from vision.exports.export import read_export

_NAME_LENGTH = 100
_NAME = re.compile(rf"\w[\w.+-]{{0,{_NAME_LENGTH - 1}}}")


def check_name(name: str) -> None:
    """Refuse names for a model that would be confusing."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a model's name",
            hint=f"use up to {_NAME_LENGTH} letters, digits and . _ + -, no sign first",
        )


def register(
    name: str, source: str, *, task: str | None, sha256: str | None, check: bool, replace: bool
) -> None:
    """Download a model if needed, inspect it, try it, and give it its name.

    With `replace` the name may have stood for another one, until the very last step.

    Raises:
        UsageError: nothing was registered; the message says why.
    """
    check_name(name)
    if source.endswith(".toml") and Path(source).expanduser().is_file():
        _register_composed(name, Path(source).expanduser(), task=task, replace=replace)
        return
    shown = without_secrets(source)
    with opened() as (settings, db):
        with transfer(shown) as progress:
            directory = download_model(
                source,
                settings.models_directory,
                sha256=sha256,
                progress=progress,
                shows_progress=is_shown(),
            )
        ref = dataclasses.replace(describe(directory), name=name)
        if task is not None and task != ref.task:
            raise UsageError(f"the model in {shown} is for the task {ref.task!r}, not {task!r}")
        export = read_export(directory.resolve())
        tried = try_model(settings, directory.resolve()) if check else None
        card = model_card(export, shown, tried)
        verdict, replaced = db.write(
            lambda s: _add(s, ref, card, tried, now=db.now(s), replace=replace)
        )
        consequences = [] if replaced is None else consequences_of(db, ref, replaced)
    for doubt in card["doubts"]:
        say(f"warning: {doubt}")
    ran = "not tried"
    if tried is not None:
        # Jobs obey the first verdict, which need not be this trial's.
        found = tried if verdict is None else {"way": verdict.way, "why": verdict.report["why"]}
        ran = f"{tried['milliseconds']:g} ms a picture, {way_of(found)}"
    say(f"model {name}: {ref.task}, {export.arch}, {len(export.labels)} classes, {ran}")
    for line in consequences:
        say(line)
    click.echo(name)


def way_of(comparison: Mapping[str, Any]) -> str:
    """Return how a network runs, and why: `onednn`, or `plain (differs: boxes 0.5)`."""
    way, why = comparison["way"], comparison["why"]
    if way is None:
        return f"plain until its ways can be compared ({why})"
    return str(way) if way != Way.PLAIN else f"{way} ({why})"


def _add(
    session: Session,
    ref: ModelRef,
    card: dict[str, Any],
    tried: Tried | None,
    *,
    now: float,
    replace: bool,
) -> tuple[Verdict | None, ModelRef | None]:
    """Write the model; return the verdict that stands on its ways, and the model it replaced."""
    replaced = add_model(session, ref, card, now=now, replace=replace)
    if tried is None or tried["way"] is None:
        return None, replaced
    report = {"why": tried["why"], **tried["comparison"]}
    verdict = Verdict(ref.digest, tried["offer"], Way(tried["way"]), report, now)
    return give_verdict(session, verdict), replaced


def _register_composed(name: str, path: Path, *, task: str | None, replace: bool) -> None:
    """Give a name to the model that a TOML file makes from others, which were tried when added."""
    composition = read_composition(path)
    if task is not None and task != composition.task:
        raise UsageError(f"{path} is for the task {composition.task!r}, not {task!r}")
    with opened() as (_, db):
        chosen = choose_composed(db, name, composition)
        card = composed_card(chosen.ref, chosen.exports, str(path))
        replaced = db.write(
            lambda s: add_model(s, chosen.ref, card, now=db.now(s), replace=replace)
        )
        consequences = [] if replaced is None else consequences_of(db, chosen.ref, replaced)
    parts = ", ".join(f"{role} {part.name}" for role, part in chosen.ref.parts.items())
    say(f"model {name}: {composition.task}, of {parts}")
    for line in consequences:
        say(line)
    click.echo(name)
