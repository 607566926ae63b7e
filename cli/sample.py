"""`regatta sample`: pictures to try things on, drawn by Regatta itself."""

from pathlib import Path

import click

from cli.session import say
from cli.show.drawing import drawn_dataset
from core.errors import UsageError


@click.command(epilog="Example: regatta sample trial; regatta run trial/scenes -m regatta_fcos_384")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--scenes",
    type=click.IntRange(1, 100_000),
    default=24,
    show_default=True,
    help="How many pictures to draw.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Other pictures.")
def sample(*, folder: Path, scenes: int, seed: int) -> None:
    """Draw scenes of a regatta into FOLDER, to try Regatta on.

    FOLDER/scenes holds the pictures, in several formats, and a few files that are broken on
    purpose; FOLDER/truth.json says what is where in them (COCO's format), and FOLDER/segments
    what each pixel shows. The models that ship with Regatta know such scenes (`regatta models
    list`). The path of the pictures is printed.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="name a new folder")
    try:
        dataset = drawn_dataset(folder, scenes, seed)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}", hint="name another folder"
        ) from error
    say(f"{dataset.sound:,} pictures, and {len(dataset.broken)} files that are broken on purpose")
    click.echo(dataset.folder)
