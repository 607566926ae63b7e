"""Exports a trained network as Paddle's own scripts do, with a model card."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from training.fit import Measured, Recipe
from training.pool import HELD_OUT_SEEDS
from worker.engines.paddle.vendor import paddle


def export(
    network: Any,
    directory: Path,
    inputs: Sequence[Any],
    yaml_name: str,
    config: Mapping[str, Any],
    stem: str = "model",
) -> None:
    """Write the YAML, `{stem}.json` and `{stem}.pdiparams` into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Paddle's, about its own API
        paddle.jit.save(network, str(directory / stem), input_spec=list(inputs))
    (directory / yaml_name).write_text(yaml.safe_dump(config, sort_keys=False))


def image_spec(name: str, height: int | None, width: int | None) -> Any:
    """Return a graph input for pictures [B,3,height,width]; None means any size."""
    return paddle.static.InputSpec([None, 3, height, width], "float32", name)


def card(task: str, recipe: Recipe, measured: Measured, trained: str) -> str:
    """Return the README of a shipped model."""
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

On {measured.scenes} scenes that it has never seen (seeds from {HELD_OUT_SEEDS:,} on, in all sizes
of the demo), {recipe.judged}:

**{scores}**
{_classes(measured)}
Minimum for shipping: {recipe.shipped.score} {recipe.shipped.least:g}.
`python -m training.evaluate --task {task}` measures it again.
"""


def _classes(measured: Measured) -> str:
    if measured.classes is None:
        return ""
    rows = "\n".join(f"| {label} | {score:.3f} |" for label, score in measured.classes.items())
    return f"\n| class | {measured.of_class} |\n| --- | --- |\n{rows}\n"
