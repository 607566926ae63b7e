"""Measures a shipped model on held-out scenes: `python -m training.evaluate --task T`.

If `regatta run` knows the task, the pictures go through it as a user's would.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from training.recipes import RECIPES


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=RECIPES, default="detect")
    parser.add_argument("--model", type=Path, help="an export; the shipped one, if none is named")
    parser.add_argument("--scenes", type=int)
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.task]
    model = (arguments.model or recipe.shipped.directory).resolve()
    with tempfile.TemporaryDirectory() as folder:
        measured = recipe.measure(model, arguments.scenes or recipe.held_out, Path(folder))
    figures: dict[str, Any] = {
        "scenes": measured.scenes,
        **{name: round(score, 3) for name, score in measured.scores.items()},
    }
    if measured.classes is not None:
        classes = {name: round(score, 3) for name, score in measured.classes.items()}
        figures[f"{measured.of_class} by class"] = classes
    print(json.dumps(figures, indent=2))  # noqa: T201 - it is what this is for


if __name__ == "__main__":
    main()
