"""How good the shipped classifier is: how often it is right."""

import json
from collections import defaultdict
from pathlib import Path

from training.held_out import held_out, results
from training.measured import Measured


def measure_classes(model: Path, scenes: int, folder: Path) -> Measured:
    """Run an exported classifier over held-out scenes, drawn into `folder`, and compare."""
    dataset = held_out(scenes, folder)
    truth = json.loads(dataset.truth.read_text())
    weathers = {image["file_name"]: image["weather"] for image in truth["images"]}
    right = defaultdict(list)
    for row in results(dataset, model, folder):
        there = weathers[row["item"]]
        right[there].append(row["classes"][0]["label"] == there)
    every = [one for ones in right.values() for one in ones]
    classes = {weather: sum(ones) / len(ones) for weather, ones in sorted(right.items())}
    return Measured(scenes, {"accuracy": sum(every) / len(every)}, "accuracy", classes)
