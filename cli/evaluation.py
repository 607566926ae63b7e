"""`regatta eval`: results measured against the truth."""

import json
import math
import re
import sys
import textwrap
import webbrowser
from collections.abc import Iterable, Iterator

import click

from cli import complete
from cli.options import Number, Written, job_argument
from cli.session import job_of, opened, say
from cli.show.output import cell, shortened
from core.errors import UsageError
from core.escape import printable, printable_json
from core.layout import evaluation_file
from core.states import ENDED_JOBS
from evaluation.answers import Answers, read_answers
from evaluation.case import Protocol
from evaluation.evaluate import KINDS, Question, evaluate, wanted_of
from evaluation.evaluation import Evaluation, Table
from evaluation.labels import parse_map
from evaluation.truth import Truth
from evaluation.truths.answers import truth_of
from evaluation.truths.opened import read_truth
from report.evaluation import write_evaluation
from store.database import Database
from store.jobs import find_job
from store.locations import absolute, is_folder
from store.s3.location import is_s3
from store.tables import Job
from store.view import view_tables

_BELOW = 1
_CLASSES_SHOWN = 20
_STEPS = 3
_MOST_IOUS = 100
_NAME = re.compile("[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


def _ious(text: str) -> tuple[float, ...]:
    """Return the thresholds that `0.5`, `0.5,0.75` or `0.5:0.95:0.05` mean."""
    if ":" in text:
        words = text.split(":")
        if len(words) != _STEPS:
            raise ValueError(f"{text!r} is not FROM:TO:STEP")
        low, high, step = (float(word) for word in words)
        if not (step > 0 and (high - low) / step < _MOST_IOUS):
            raise ValueError(f"{text!r} has no sensible step")
        values = [low + step * n for n in range(math.floor((high - low) / step + 1e-9) + 1)]
    else:
        values = [float(word) for word in text.split(",")]
    if not values or not all(0 < value < 1 for value in values):
        raise ValueError(f"{text!r} is not between 0 and 1")
    return tuple(sorted({round(value, 6) for value in values}))


def _sigmas(text: str) -> tuple[float, ...]:
    values = tuple(float(word) for word in text.split(","))
    if not all(0 < value < math.inf for value in values):
        raise ValueError(f"{text!r} has a value that is not positive")
    return values


@click.command(
    epilog="""\b
Example: regatta eval latest --truth annotations.json --open
Example: regatta eval 4k2 --truth labels/ --iou 0.5 --fail-under 0.6
Example: regatta eval new --truth old""",
)
@job_argument
@click.option(
    "--truth",
    "place",
    required=True,
    metavar="FILE|DIR|JOB",
    shell_complete=complete.paths,
    help="COCO JSON, a directory of YOLO labels or of label maps (PNG), CSV, or another job.",
)
@click.option(
    "--iou",
    "ious",
    type=Written("IOU[,IOU]...|FROM:TO:STEP", _ious),
    help="Overlaps from which on something is found.  [default: 0.5:0.95:0.05; text 0.5]",
)
@click.option(
    "--min-score",
    type=Number(0, 1),
    help="Score from which on a detection counts in precision, recall, F1 and confusion.  "
    "[default: where F1 is best; of several classes a picture 0.5; of text 0]",
)
@click.option("--model", shell_complete=complete.models, help="Of a job with several, which one.")
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="LABEL=NAME,...",
    help="The truth calls the model's class LABEL NAME (truck=van,bus=van); numbers in label maps.",
)
@click.option("--kind", type=click.Choice(KINDS), help="Of detections with masks, what to measure.")
@click.option(
    "--sigmas",
    type=Written("S,S,...", _sigmas),
    help="How far off each joint may be.  [default: COCO's for 17 joints, else 0.066]",
)
@click.option(
    "--ignore-value",
    type=click.IntRange(0, 255),
    default=255,
    show_default=True,
    help="Pixels of true label maps that don't count.",
)
@click.option(
    "--truth-score",
    type=Number(0, 1),
    default=0.5,
    show_default=True,
    help="Of another job as the truth, the score from which on its detections are true.",
)
@click.option("--truth-model", help="Of another job with several models, which one is true.")
@click.option(
    "--all", "takes_all", is_flag=True, help="Count what is found in items without truth as wrong."
)
@click.option(
    "--fail-under",
    type=Number(0, 1),
    metavar="NUMBER",
    help="Exit with code 1 if the first measure is below this.",
)
@click.option(
    "-o", "--output", metavar="DIR", help="Where to.  [default: evaluation/ in the job's output]"
)
@click.option("--name", help="The files' name.  [default: from the truth's]")
@click.option("--open", "show", is_flag=True, help="Show the page in the browser.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json")),
    help="How to print.  [default: table on a terminal, json elsewhere]",
)
@click.pass_context
def eval(
    ctx: click.Context,
    /,
    *,
    job: str,
    place: str,
    ious: tuple[float, ...] | None,
    min_score: float | None,
    model: str | None,
    pairs: tuple[str, ...],
    kind: str | None,
    sigmas: tuple[float, ...] | None,
    ignore_value: int,
    truth_score: float,
    truth_model: str | None,
    takes_all: bool,
    fail_under: float | None,
    output: str | None,
    name: str | None,
    show: bool,
    form: str | None,
) -> None:
    """Measure the results of JOB against the truth.

    Detections: COCO's AP and AR of boxes or masks; poses: of keypoints (OKS). Segmentation: mIoU.
    Classes: top-1, top-5, F1. Text: hmean, CER and WER. Numbers are printed, and saved with a page
    of curves, tables and the worst pictures.

    Items match by their key, or by a base name that both sides have once. Everything that is left
    out or counted in an unusual way is said, with numbers.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name", hint="letters, digits, -, _ and . are possible")
    if output is not None and not is_s3(output) and not is_folder(output):
        raise UsageError(f"there is no directory {output!r}", hint="make it, or name another one")
    protocol = Protocol(ious=ious, score=min_score, sigmas=sigmas, ignored=ignore_value)
    question = Question(protocol, parse_map(pairs), takes_all, kind)
    with opened() as (_, db):
        measured = job_of(db, job)
        answers = read_answers(view_tables(db, measured), model)
        truth = _truth(db, place, answers, kind, truth_score, truth_model)
        title = name or _name_of(place)
        found = evaluate(
            answers, truth, question, job=measured.id, name=title, before=_under_way(measured)
        )
        key = evaluation_file(title, ".json").removesuffix(".json")
        pages = write_evaluation(found, answers, measured, key, output)
    if (form or ("table" if sys.stdout.isatty() else "json")) == "json":
        click.echo(printable_json(json.dumps(found.to_json(), ensure_ascii=False, indent=2)))
    else:
        for line in lines(found):
            click.echo(line)
    for url in pages:
        say(url)
    if show and not webbrowser.open(pages[-1]):
        say("no browser could be opened")
    main = found.main
    if fail_under is not None and (main.value is None or main.value < fail_under):
        value = "nothing to measure" if main.value is None else f"{main.value:.4f}"
        say(f"{main.name} is {value}, below {fail_under:g}")
        ctx.exit(_BELOW)


def _truth(
    db: Database, place: str, answers: Answers, kind: str | None, least: float, model: str | None
) -> Truth:
    """Return the truth that a person means: at a location, or another job's results.

    Raises:
        UsageError: there is neither, or it cannot be read.
    """
    wanted = wanted_of(answers, kind)
    location = place if is_s3(place) else absolute(place)
    if (read := read_truth(location if "/" in place else place, answers.task, wanted)) is not None:
        return read
    try:
        other: Job = db.read(lambda s: find_job(s, place))
    except UsageError as error:
        raise UsageError(
            f"{place!r} is neither a file, nor a directory, nor a job", hint=error.hint
        ) from error
    said = read_answers(view_tables(db, other), model)
    if said.task != answers.task:
        raise UsageError(f"job {other.id} is of the task {said.task}, not {answers.task}")
    return truth_of(said, f"job {other.id}", least)


def _under_way(job: Job) -> list[str]:
    """Return the note that results are still to come, if they are."""
    if job.state in ENDED_JOBS:
        return []
    return [f"the job is {job.state.value}: items without a row so far count as unknown to it"]


def _name_of(place: str) -> str:
    """Return a name for the files of an evaluation against this truth."""
    base = place.rstrip("/").rpartition("/")[2]
    stem = base.rpartition(".")[0] or base
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-").lower()[:60] or "truth"


def lines(found: Evaluation, width: int = 80) -> Iterator[str]:
    """Yield an evaluation as text for people, at most `width` columns wide."""
    about = found.coverage
    yield shortened(printable(f"{found.model} ({found.task}), job {found.job}"), width)
    yield shortened(printable(f"truth: {found.truth} ({found.form})"), width, keep_end=False)
    by_base = f", {about.by_base_name:,} by base name" if about.by_base_name else ""
    yield f"{about.matched:,} of {about.in_truth:,} pictures of the truth matched{by_base}"
    yield ""
    names = max(len(one.name) for one in found.scores.measures)
    for one in found.scores.measures:
        value = "-" if one.value is None else f"{one.value:.4f}"
        yield shortened(f"{one.name.ljust(names)}  {value:>6}  {printable(one.words)}", width)
    for table in found.scores.tables:
        yield ""
        yield from _table(table, width)
    if found.notes:
        yield ""
        for note in found.notes:
            yield from _wrapped(f"- {printable(note)}", width)
    yield ""
    for name, words in (found.scores.protocol or {}).items():
        yield from _wrapped(f"{name}: {printable(words)}", width)


def _table(table: Table, width: int) -> Iterator[str]:
    rows = [[_number(value) for value in row] for row in table.rows[:_CLASSES_SHOWN]]
    titles = [name.upper() for name in table.columns]
    rest = [max(map(len, column)) for column in zip(titles, *rows, strict=True)][1:]
    room = max(8, width - sum(rest) - 2 * len(rest))
    firsts = [shortened(row[0], room) for row in (titles, *rows)]
    from rich.cells import cell_len  # noqa: PLC0415 - only tables need it

    first = max(map(cell_len, firsts))
    for name, row in zip(firsts, (titles, *rows), strict=True):
        numbers = (value.rjust(wide) for value, wide in zip(row[1:], rest, strict=True))
        yield "  ".join([name + " " * (first - cell_len(name)), *numbers])
    if more := len(table.rows) - len(rows):
        yield f"and {more:,} more: --format json"


def _number(value: str | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else cell(value)


def _wrapped(text: str, width: int) -> Iterable[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ")
