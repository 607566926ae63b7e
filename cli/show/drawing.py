"""Draws scenes of the sample world, and shows how far it is."""

import sys
import time
from pathlib import Path

import click

from cli.session import say
from sample.dataset import Dataset, dataset_at

_LINE_SECONDS = 5.0


def drawn_dataset(place: Path, scenes: int, seed: int) -> Dataset:
    """Return the dataset at a place, drawn now unless it is there already.

    On a terminal a bar moves; elsewhere a line is printed every few seconds.
    """
    if place.exists():
        return dataset_at(place, scenes, seed=seed)
    if not sys.stderr.isatty():
        return dataset_at(place, scenes, seed=seed, drawn=_Lines(scenes))
    label = f"drawing {scenes:,} scenes"
    with click.progressbar(length=scenes, label=label, file=sys.stderr) as bar:
        return dataset_at(place, scenes, seed=seed, drawn=lambda _: bar.update(1))


class _Lines:
    """Says now and then how many scenes are drawn."""

    def __init__(self, scenes: int) -> None:
        self._scenes = scenes
        self._next = time.monotonic() + _LINE_SECONDS
        say(f"drawing {scenes:,} scenes")

    def __call__(self, drawn: int) -> None:
        if time.monotonic() >= self._next and drawn < self._scenes:
            self._next = time.monotonic() + _LINE_SECONDS
            say(f"drawing scenes: {drawn:,} of {self._scenes:,}")
