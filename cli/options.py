"""Options that several commands share, as named values."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.parameters import COLOUR, SINCE, SIZE, TILE

F = TypeVar("F", bound=Callable[..., Any])

PRIORITY = click.IntRange(0, 9)
"""A job's weight is two to the power of its priority."""

FORMATS = ("table", "json", "ndjson", "csv")

job_argument = click.argument("job", metavar="JOB")

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to print; a table on a terminal, ndjson elsewhere, if not given.",
)

watch_option = click.option("--watch", is_flag=True, help="Go on showing it until it ends.")

_JOB_OPTIONS = (
    click.option(
        "-m",
        "--model",
        "models",
        multiple=True,
        help="A registered model's name, or the directory of an exported model; give several, and "
        "each image is decoded once for all of them.",
    ),
    click.option(
        "--detector", help="A detection model that finds the people for a keypoint model."
    ),
    click.option("-o", "--output", help="Where results and pictures go.  [default: in the home]"),
    click.option("--name", help="What to call the job.  [default: the source's name]"),
    click.option("--include", multiple=True, metavar="GLOB", help="Only keys like this."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="No keys like this."),
    click.option("--min-size", type=SIZE, help="Only files at least so large (10kB)."),
    click.option("--max-size", type=SIZE, help="Only files at most so large (20MB)."),
    click.option("--since", type=SINCE, help="Only files changed since (2026-01-31, 36h, 7d)."),
    click.option("--limit", type=click.IntRange(min=1), help="Only so many items."),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        help="Only detections or classes with a score above this.  [default: the model's own]",
    ),
    click.option(
        "--annotate/--no-annotate", default=True, show_default=True, help="Draw pictures."
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0, 1),
        help="How much of a segment's colour covers the picture.  [default: 0.5]",
    ),
    click.option(
        "--polygons", is_flag=True, help="Give the outlines of segments in the results, too."
    ),
    click.option(
        "--background",
        type=COLOUR,
        help="What matting draws its pictures on (white, '#78ff9b').  [default: green]",
    ),
    click.option(
        "--slice",
        "tile",
        type=TILE,
        help="Have detectors look at tiles so large (640x640), too: for small objects in large "
        "pictures.",
    ),
    click.option(
        "--overlap",
        type=click.FloatRange(0, 0.9),
        default=0.2,
        show_default=True,
        help="How much of a tile its neighbour shows, too.",
    ),
    click.option(
        "--merge",
        type=click.Choice(["nmm", "nms"]),
        default="nmm",
        show_default=True,
        help="What becomes of a thing that two tiles show: one box around both (nmm), or the "
        "better one (nms).",
    ),
    click.option(
        "--priority",
        type=PRIORITY,
        default=5,
        show_default=True,
        help="Higher goes first; each step doubles a job's share.",
    ),
    click.option("--tag", "tags", multiple=True, help="A word to find the job by."),
    click.option(
        "--shard-items", type=click.IntRange(min=1), help="Items per shard.  [default: by rate]"
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1, 1024),
        help="Images per inference.  [default: by model]",
    ),
    click.option("--dry-run", is_flag=True, help="Only say what would be done."),
)


def job_options(command: F) -> F:
    """Give a command the options that describe a job, in the order above."""
    for option in reversed(_JOB_OPTIONS):
        command = option(command)
    return command
