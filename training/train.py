"""Trains the shipped models on the sample world: `python -m training.train --task T`.

Everything is seeded. For each model it writes the export, measures it and writes its card.
"""

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

from training.export import card
from training.fit import Recipe
from training.recipes import RECIPES


def main() -> None:
    """Train one model or all; export and measure each, and write its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=RECIPES, help="which model; by default all")
    parser.add_argument("--output", type=Path, help="where to write the export")
    parser.add_argument("--steps", type=int, help="instead of the usual number")
    parser.add_argument("--scenes", type=int, help="instead of the usual number")
    arguments = parser.parse_args()
    if arguments.output and not arguments.task:
        parser.error("--output needs --task")
    for task in [arguments.task] if arguments.task else RECIPES:
        recipe = RECIPES[task]
        plan = recipe.plan
        if arguments.steps:
            plan = dataclasses.replace(plan, steps=arguments.steps)
        recipe = dataclasses.replace(
            recipe,
            plan=plan,
            scenes=arguments.scenes or recipe.scenes,
            shipped=dataclasses.replace(
                recipe.shipped,
                directory=(arguments.output or recipe.shipped.directory).resolve(),
            ),
        )
        started = time.monotonic()
        recipe.export(recipe.train(recipe.scenes, plan), recipe.shipped.directory)
        print(f"{task}: {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201 - a person waits
        write_card(task, recipe)


def write_card(task: str, recipe: Recipe) -> None:
    """Measure the exported model, and write its card beside it."""
    model = recipe.shipped.directory
    with tempfile.TemporaryDirectory() as folder:
        measured = recipe.measure(model, recipe.held_out, Path(folder))
    steps = f"{recipe.plan.steps} steps of {recipe.batch} {recipe.shown} of {recipe.scenes} scenes"
    (model / "README.md").write_text(card(task, recipe, measured, steps))
    print(f"{task}: {measured.score:.3f}", flush=True)  # noqa: T201 - a person waits


if __name__ == "__main__":
    main()
