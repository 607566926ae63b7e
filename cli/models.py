"""`regatta models`: names for the models that jobs run."""

from typing import Any

import click

from cli import complete
from cli.options import format_option
from cli.registration import register, way_of
from cli.replacement import schedules_with
from cli.session import opened, say
from cli.show.output import chosen, print_object, print_records
from config.catalogue import find_official, official_models
from config.settings import load_settings
from core.times import iso
from registry.known_models import SHIPPED_AT, known_model, known_models
from store.database import Database
from store.models import PREVIOUS, find_model, model_ref, remove_model
from store.tables import Model
from store.verdicts import verdicts_on

_COLUMNS = ("name", "task", "arch", "classes", "digest", "location", "added")

check_option = click.option(
    "--check/--no-check", default=True, help="Run the model once before it gets its name."
)


replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Let the name stand for this model from now on, if it stands for another: the next jobs "
    "and the next fires of schedules take it, jobs that run keep theirs.",
)


@click.group(epilog="Example: regatta models add picodet exports/picodet_xs_320_coco_lcnet")
def models() -> None:
    """Name the models that jobs run. Each name stands for exactly one content, by its digest."""


@models.command(
    epilog="""\b
Example: regatta models add picodet exports/picodet_xs_320_coco_lcnet
Example: regatta models add boats https://models.example/boats.tar --task detect
Example: regatta models add boats s3://models/boats/v3/
Example: regatta models add layout hf://PaddlePaddle/PicoDet-S_layout_3cls
Example: regatta models add poses poses.toml
Example: regatta models add boats s3://models/boats/v4/ --replace"""
)
@click.argument("name")
@click.argument("source", shell_complete=complete.paths)
@click.option("--task", help="The task that the model must be for.")
@click.option(
    "--sha256", help="The digest that the archive must have; of a directory, the model's own."
)
@check_option
@replace_option
def add(
    *, name: str, source: str, task: str | None, sha256: str | None, check: bool, replace: bool
) -> None:
    """Register the exported model in SOURCE under NAME.

    SOURCE is a directory, an archive (.tar, .tar.gz, .zip), an https:// address of one, s3://
    (an archive, or a prefix with the export's files below it), or hf://org/name[@revision]. What
    is not a directory on this machine is downloaded first. The model is run once as a check.

    SOURCE can also be a TOML file that makes one model of several, such as a detector and a
    keypoint model: it has a task, and names or paths under [parts].
    """
    register(name, source, task=task, sha256=sha256, check=check, replace=replace)


@models.command(epilog="Example: regatta models pull PP-YOLOE_plus-S --as people")
@click.argument("official", metavar="NAME", shell_complete=complete.official_models)
@click.option("--as", "name", metavar="OTHER", help="What to call it.  [default: NAME]")
@click.option("--sha256", help="The digest that the archive must have.")
@check_option
@replace_option
def pull(
    *, official: str, name: str | None, sha256: str | None, check: bool, replace: bool
) -> None:
    """Download an official Paddle model and register it; `models catalogue` lists them."""
    entry = find_official(official)
    address = entry.address(load_settings().catalogue_url)
    register(
        name or entry.name,
        address,
        task=entry.task,
        sha256=sha256,
        check=check,
        replace=replace,
    )


@models.command(epilog="Example: regatta models catalogue picodet")
@click.argument("text", required=False)
@click.option("--task", help="Only models for this task.")
@format_option
def catalogue(*, text: str | None, task: str | None, form: str | None) -> None:
    """List official Paddle models; with TEXT, those that have it in their name.

    The list is part of Regatta and needs no network; `models pull` downloads the models from
    Paddle's server, or from the mirror that the setting `catalogue_url` names.
    """
    base = load_settings().catalogue_url
    wanted = (text or "").lower()
    found = (
        {"name": each.name, "task": each.task, "address": each.address(base)}
        for each in official_models()
        if wanted in each.name.lower() and task in {None, each.task}
    )
    print_records(found, ("name", "task", "address"), chosen(form))


@models.command("list", epilog="Example: regatta models list --format json")
@format_option
def list_(*, form: str | None) -> None:
    """List the registered models, and those that ship with Regatta."""
    form = chosen(form)
    with opened() as (_, db):
        found = [_record(model) for model in known_models(db)]
    short = form in {"table", "csv"}
    print_records([_shorten(model) for model in found] if short else found, _COLUMNS, form)


@models.command(epilog="Example: regatta models show picodet")
@click.argument("name", shell_complete=complete.models)
@format_option
def show(*, name: str, form: str | None) -> None:
    """Show everything that is known about a model."""
    form = chosen(form)
    with opened() as (_, db):
        model = known_model(db, name)
        record = _record(model) | {"verdicts": _verdicts(db, model)}
    print_object(_in_words(record) if form == "table" else record, form)


@models.command(epilog="Example: regatta models remove picodet")
@click.argument("name", shell_complete=complete.models)
def remove(*, name: str) -> None:
    """Forget a name. The model's files stay, and so do jobs that ran it."""
    with opened() as (_, db):
        db.read(lambda s: find_model(s, name))
        db.write(lambda s: remove_model(s, name))
        scheduled = schedules_with(db, name)
    say(f"forgot model {name}; its files are untouched")
    if scheduled:
        verb = "names" if len(scheduled) == 1 else "name"
        say(f"warning: {', '.join(scheduled)} {verb} it: fires fail until there is one again")


def _record(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "task": model.task,
        "digest": model.digest,
        "location": model.location,
        "added": None if model.added_at == SHIPPED_AT else iso(model.added_at),
        **{name: value for name, value in model.card.items() if name != "facts"},
        PREVIOUS: _previous(model),
    }


def _previous(model: Model) -> dict[str, Any] | None:
    """Return the model that the name stood for before, and until when."""
    previous = model.card.get(PREVIOUS)
    return None if previous is None else {**previous, "until": iso(previous["until"])}


def _verdicts(db: Database, model: Model) -> list[dict[str, Any]]:
    """Return how each of a model's networks runs on each engine that it was compared on."""
    ref = model_ref(model)
    parts = ref.parts or {"": ref}
    roles = {part.digest: role for role, part in parts.items()}
    return [
        {
            "role": roles[verdict.digest] or None,
            "engine": verdict.engine,
            "way": verdict.way.value,
            "compared": iso(verdict.compared_at),
            **verdict.report,
        }
        for verdict in db.read(lambda s: verdicts_on(s, tuple(roles)))
    ]


def _shorten(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "classes": len(record["labels"]), "digest": record["digest"][:12]}


def _in_words(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose arrays are written as `image 1x3x320x320`."""
    arrays = {name: record.get(name) for name in ("inputs", "outputs")}
    comparison = record.get("comparison")
    previous = record[PREVIOUS]
    return (
        record
        | {
            "comparison": comparison and way_of(comparison),
            PREVIOUS: previous and "{digest} in {location}, until {until}".format(**previous),
            "verdicts": [_verdict(each) for each in record["verdicts"]],
        }
        | {
            name: [f"{_kind(each)} {'x'.join(map(str, each['shape']))}" for each in found]
            for name, found in arrays.items()
            if found
        }
    )


def _verdict(found: dict[str, Any]) -> str:
    role = f"{found['role']}: " if found["role"] else ""
    return f"{role}{found['way']} on {found['engine']}: {found['why']}"


def _kind(array: dict[str, Any]) -> str:
    return str(array.get("name") or array.get("dtype"))
