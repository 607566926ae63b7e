"""`regatta models`: names for the models that jobs run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cli.options import format_option
from cli.output import chosen, print_object, print_records
from cli.session import opened, say
from core.errors import UsageError
from core.times import iso
from scheduler.chosen_model import describe
from store.models import add_model, find_model, list_models, remove_model
from store.tables import Model
from vision.export import read_export
from vision.exported import ExportedModel
from vision.preprocess import Preprocessor

_NAME_LENGTH = 100
_COLUMNS = ("name", "task", "arch", "classes", "digest", "location", "added")


@click.group(epilog="Example: regatta models add picodet exports/picodet_xs_320_coco_lcnet")
def models() -> None:
    """Name the models that jobs run. A name stands for exactly one content, by its digest."""


@models.command(epilog="Example: regatta models add picodet exports/picodet_xs_320_coco_lcnet")
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--task", help="What it must be for; an error if it is not.")
def add(*, name: str, path: Path, task: str | None) -> None:
    """Register the exported model in the directory PATH under NAME."""
    if not name.isprintable() or not name.strip() or "/" in name or len(name) > _NAME_LENGTH:
        raise UsageError(f"{name!r} cannot be a model's name", hint="use letters, digits, . _ -")
    ref = replace(describe(path.expanduser()), name=name)
    if task is not None and task != ref.task:
        raise UsageError(f"the model in {path} is for the task {ref.task!r}, not {task!r}")
    card = _card(read_export(Path(ref.location)))
    with opened() as (_, db):
        db.write(lambda s: add_model(s, ref, card, now=db.now(s)))
    say(f"model {name}: {ref.task}, {card['arch']}, {len(card['labels'])} classes")
    click.echo(name)


@models.command("list", epilog="Example: regatta models list --format json")
@format_option
def list_(*, form: str | None) -> None:
    """List the registered models."""
    form = chosen(form)
    with opened() as (_, db):
        found = [_record(model) for model in db.read(list_models)]
    short = form in {"table", "csv"}
    print_records([_shorten(model) for model in found] if short else found, _COLUMNS, form)


@models.command(epilog="Example: regatta models show picodet")
@click.argument("name")
@format_option
def show(*, name: str, form: str | None) -> None:
    """Show everything that is known of a model."""
    with opened() as (_, db):
        print_object(_record(db.read(lambda s: find_model(s, name))), chosen(form))


@models.command(epilog="Example: regatta models remove picodet")
@click.argument("name")
def remove(*, name: str) -> None:
    """Forget a name. The model's files stay, and so do jobs that ran it."""
    with opened() as (_, db):
        db.read(lambda s: find_model(s, name))
        db.write(lambda s: remove_model(s, name))
    say(f"forgot model {name}; its files are untouched")


def _card(export: ExportedModel) -> dict[str, Any]:
    shape = Preprocessor(export.ops).fixed_shape
    return {
        "export_name": export.name,
        "arch": export.arch,
        "labels": list(export.labels),
        "threshold": export.threshold,
        "input_shape": None if shape is None else list(shape),
        "files": [file.name for file in export.files],
    }


def _record(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "task": model.task,
        "digest": model.digest,
        "location": model.location,
        "added": iso(model.added_at),
        **model.card,
    }


def _shorten(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "classes": len(record["labels"]), "digest": record["digest"][:12]}
