"""The page beside a shipped model: what it is for, how it was made, how good it is."""

from training.measured import Measured
from training.pool import HELD_OUT_SEEDS
from training.recipe import Recipe


def card(task: str, recipe: Recipe, measured: Measured, trained: str) -> str:
    """The README of a shipped model."""
    about = "\n".join(f"| {what} | {text} |" for what, text in recipe.about.items())
    scores = ", ".join(f"{name} {score:.3f}" for name, score in measured.scores.items())
    return f"""\
# {recipe.shipped.directory.name}

In Regatta's sample scenes, it {recipe.shipped.does}. It is there for the demo and for tests: it
knows drawn regattas only, and is of no use on photographs.

| | |
| --- | --- |
{about}
| loads with | paddlepaddle 3.0 to 3.2 |
| weights | trained from scratch by `make models`, seeded: {trained} |
| licence | Apache-2.0, as the rest of Regatta |

## How good it is

On {measured.scenes} scenes that it never saw (seeds from {HELD_OUT_SEEDS:,} on, in all sizes of the
demo), {recipe.judged}:

**{scores}**
{_classes(measured)}
The least that is shipped: {recipe.shipped.score} {recipe.shipped.least:g}.
`python -m training.evaluate --task {task}` measures it again.
"""


def _classes(measured: Measured) -> str:
    if measured.classes is None:
        return ""
    rows = "\n".join(f"| {label} | {score:.3f} |" for label, score in measured.classes.items())
    return f"\n| class | {measured.of_class} |\n| --- | --- |\n{rows}\n"
