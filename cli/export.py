"""`regatta export`: writes results in the formats of other tools."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from annotations.export import Exported, Wish, export_job
from annotations.formats import FORMATS
from annotations.images import Images
from annotations.narrowing import Thresholds
from annotations.regions import Shape
from cli import complete
from cli.options import job_argument, raw_option
from cli.session import job_of, opened, say
from core.errors import UsageError
from core.escape import printable
from core.options import ModelRef
from core.states import ENDED_JOBS
from core.toml import LARGEST_BYTES, parse_toml
from core.wording import count
from store.jobs import tally
from store.locations import absolute

_LINE_SECONDS = 10.0


@click.command(
    epilog="""\b
Example: regatta export latest dataset --to coco
Example: regatta export latest s3://bucket/set --to yolo --images copy
Example: regatta export latest found.csv --to csv --map person=human,car=vehicle""",
)
@job_argument
@click.argument("destination", metavar="DEST", shell_complete=complete.paths)
@click.option("--to", "form", type=click.Choice(list(FORMATS)), required=True, help="The format.")
@click.option(
    "--model", metavar="NAME", help="Whose results; needed if the job has several models."
)
@click.option(
    "--classes",
    "kept",
    multiple=True,
    metavar="LABEL,...",
    help="Only these of the model's classes (person,car).  [default: all]",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="LABEL=NAME,...|FILE",
    help="Call classes otherwise (person=human,car=vehicle): here, or in a .json or .toml file. "
    "Those with one name become one.",
)
@click.option(
    "--min-score",
    "least",
    multiple=True,
    metavar="[LABEL=]SCORE",
    help="Only what scores this or more: of all classes (0.5), of one (person=0.7).",
)
@click.option(
    "--images",
    type=click.Choice([one.value for one in Images]),
    help="Link to the pictures, copy them, or leave them where they are.  "
    "[default: link, if all is on this machine]",
)
@click.option(
    "--masks",
    "shape",
    type=click.Choice([one.value for one in Shape]),
    help="Pixels as run lengths or as outlines.  [default: rle for coco, polygons for cvat]",
)
@click.option("--boxes", is_flag=True, help="Only boxes, without masks, outlines and joints.")
@click.option("--coco-results", is_flag=True, help="COCO's list of detections, not a dataset.")
@raw_option
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
def export(
    *,
    job: str,
    destination: str,
    form: str,
    model: str | None,
    kept: tuple[str, ...],
    maps: tuple[str, ...],
    least: tuple[str, ...],
    images: str | None,
    shape: str | None,
    boxes: bool,
    coco_results: bool,
    raw: bool,
    overwrite: bool,
) -> None:
    """Write the results of JOB so far to DEST, in a format of other tools.

    DEST is a new or empty folder, or an s3:// prefix; with the suffix of its format (.json for
    coco, .csv, .jsonl, .xml for cvat) a single file. Nothing is run again, and nothing is there
    before all of it is. Its location is printed.
    """
    wish = Wish(
        form=FORMATS[form],
        model=model,
        kept=kept or None,
        renamed=_renamed(maps),
        thresholds=_thresholds(least),
        images=None if images is None else Images(images),
        shape=None if shape is None else Shape(shape),
        boxes_only=boxes,
        as_results=coco_results,
        raw=raw,
        overwrite=overwrite,
    )
    with opened() as (_, db):
        found = job_of(db, job)
        items = db.read(lambda s: tally(s, [found]))[found.id].listed + found.carried
        total = items * (1 if model else len(ModelRef.from_json(found.model).members))
        with _shown(total) as progress:
            exported = export_job(db, found, destination, wish, progress)
    if found.state not in ENDED_JOBS:
        say(f"job {found.id} has not ended: this is what it found so far")
    for line in _summary(exported, wish):
        say(line)
    click.echo(printable(absolute(destination)))


def _summary(exported: Exported, wish: Wish) -> Iterator[str]:
    """Yield what was exported, in words."""
    yield from exported.doubts
    counts = exported.counts
    if wish.form.is_tabular:
        yield f"{count(counts.objects, 'row')} as {wish.form.name}"
        return
    classes = f"{len(exported.classes)} {'class' if len(exported.classes) == 1 else 'classes'}"
    things = _counted(counts.objects, exported.noun)
    pictures = {Images.LINK: "linked", Images.COPY: "copied", Images.LEAVE: "left where they are"}
    yield (
        f"{count(counts.pictures, 'image')} and {things} of {classes} as {wish.form.name}; "
        f"images {pictures[exported.images]}"
    )
    if counts.clipped or counts.empty:
        yield (
            f"{_counted(counts.clipped, 'box')} clipped to "
            f"{'its image' if counts.clipped == 1 else 'their images'}, "
            f"{counts.empty:,} dropped as empty"
        )
    if counts.unfinished:
        yield f"{count(counts.unfinished, 'item')} without a result left out"
    if counts.unread:
        yield f"{count(counts.unread, 'image')} not there any more"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} boxes" if noun == "box" and number != 1 else count(number, noun)


def _renamed(maps: tuple[str, ...]) -> dict[str, str]:
    """Return the names that labels get.

    Raises:
        UsageError: a text is neither pairs nor such a file.
    """
    names: dict[str, str] = {}
    for text in maps:
        if text.lower().endswith((".json", ".toml")):
            names |= _read_map(Path(text).expanduser())
            continue
        for pair in text.split(","):
            label, sign, name = pair.partition("=")
            if not (label and sign and name):
                raise UsageError(
                    f"--map: {pair!r} is no LABEL=NAME",
                    hint="write person=human,car=vehicle; labels with = or commas need a file",
                )
            names[label] = name
    return names


def _read_map(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        said = json.loads(data) if path.suffix.lower() == ".json" else parse_toml(data)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--map: {path} cannot be read: {error}") from error
    is_map = isinstance(said, dict) and all(isinstance(one, str) and one for one in said.values())
    if not is_map:
        raise UsageError(f"--map: {path} is no object of texts", hint='as in {"person": "human"}')
    return dict(said)


def _thresholds(texts: tuple[str, ...]) -> Thresholds:
    """Return the least scores.

    Raises:
        UsageError: a text is no score, or no label and a score.
    """
    least, by_label = 0.0, {}
    for text in texts:
        label, sign, number = text.rpartition("=")
        try:
            score = float(number)
        except ValueError:
            score = -1.0
        if not 0 <= score <= 1 or (sign and not label):
            raise UsageError(f"--min-score: {text!r} is no score", hint="write 0.5, or person=0.7")
        if label:
            by_label[label] = score
        else:
            least = score
    return Thresholds(least, by_label)


@contextmanager
def _shown(total: int) -> Iterator[Callable[[int], None]]:
    """Show how many rows are written: a moving bar, or a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(total)
        return
    from rich import progress as bar  # noqa: PLC0415 - most commands need no drawing on terminals
    from rich.console import Console  # noqa: PLC0415

    columns: tuple[Any, ...] = (
        bar.TextColumn("exporting"),
        bar.BarColumn(),
        bar.MofNCompleteColumn(),
        bar.TimeRemainingColumn(),
    )
    with bar.Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=total)
        yield lambda rows: bars.update(task, advance=rows)


class _Lines:
    """Says every ten seconds how far it is."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._next = time.monotonic() + _LINE_SECONDS

    def __call__(self, rows: int) -> None:
        self._done += rows
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_SECONDS
            say(f"{self._done:,} of {count(self._total, 'row')} exported")
