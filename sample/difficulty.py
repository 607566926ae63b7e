"""Writes the page about the sample world: `python -m sample.difficulty > docs/sample-world.md`."""

import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sample.labels import LABELS
from sample.scene import Scene, Thing
from sample.shipped import MODELS
from sample.weather import WEATHERS
from sample.world import LEAST_VISIBLE, new_world

SCENES = 200
"""The number of scenes that the histograms count, with the seeds 0, 1, 2, ..."""

_SIZES = (0.02, 0.05, 0.1, 0.2, 0.4)
_VISIBLE = (0.5, 0.75, 0.95)
_NUMBERS = (3, 6, 12, 24)

_TEXT = f"""\
# The sample world

Regatta draws its own pictures: a stretch of water with rowing boats and their crews, sailing boats,
buoys and gulls, in six kinds of weather. They are the data of `regatta demo`, of the models that
Regatta ships and of its tests. A scene depends only on its seed, not on the
size of the picture, and comes with the whole truth:

- the box, the mask and the visible part of each thing, and its track through a sequence;
- the 17 joints (COCO's) of each rower, each visible, hidden or outside the picture;
- the name painted on each hull, with its four corners;
- sky, shore and water behind everything.

```python
from sample.world import new_world

world = new_world(seed=7, size=(1280, 720))
scene = world.scene()  # image [H,W,3] BGR, things, owners [H,W], grounds [H,W]
frames = world.frames(250, per_second=25.0)  # the same things in motion
```

`sample.dataset.dataset_at` writes a folder of scenes as JPEG, PNG and WebP, with a few files broken
on purpose, `truth.json` in COCO's format (with each picture's weather), and `segments/`, which says
what each pixel shows.

## What is trained on it

`make models` trains these models from scratch, exports each in its Paddle tool's format, and
measures it on scenes that it has never seen. Tests require the scores below; the README.md beside
each model says what it reached. `python -m training.evaluate --task T` measures one again.

{{models}}

Rowers' joints and the names on hulls take two models each: one to find them, one to look closer.
The files in `sample/exports/composed` make one model of each pair. `regatta demo --task T` shows
all of this.

## How hard it is

Difficulty is part of the definition. These are {SCENES} scenes of 640 x 480 pixels, seeds 0 to
{SCENES - 1}. A thing of which less than {LEAST_VISIBLE:.0%} is visible is not part of the truth.
This page is made by `make docs`.
"""


def page() -> str:
    """Return the page, with the histograms counted anew."""
    scenes = [new_world(seed).scene() for seed in range(SCENES)]
    return "\n".join([_TEXT.replace("{models}", _models()), *_tables(scenes)])


def _models() -> str:
    rows = [
        f"| {task} | `{one.directory.name}` | {one.does} | {one.score} {one.least:g} |"
        for task, one in MODELS.items()
    ]
    head = ["| task | model | in a scene, it | score, at least |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _tables(scenes: Sequence[Scene]) -> Iterator[str]:
    things = [(thing, _size(thing, scene)) for scene in scenes for thing in scene.things]
    yield "Size, as the side of a square with the box's area relative to one with the picture's:\n"
    sizes = _bands([f"{edge:.0%}" for edge in _SIZES])
    yield from _by_label(sizes, [(thing, bisect_right(_SIZES, size)) for thing, size in things])
    yield "\nThe visible share; the rest is behind other things or outside the picture:\n"
    shares = _bands([f"{edge:.0%}" for edge in _VISIBLE])
    seen = [(thing, bisect_right(_VISIBLE, thing.visible)) for thing, _ in things]
    yield from _by_label(shares, seen)
    yield "\nThings per scene:\n"
    counts = Counter(bisect_right(_NUMBERS, len(scene.things)) for scene in scenes)
    yield from _table(_bands([str(edge) for edge in _NUMBERS]), {"scenes": counts})
    yield "\nWeather:\n"
    weathers = Counter(scene.weather for scene in scenes)
    names = [weather.name for weather in WEATHERS]
    yield from _table(names, {"scenes": Counter({i: weathers[n] for i, n in enumerate(names)})})
    yield ""


def _size(thing: Thing, scene: Scene) -> float:
    x1, y1, x2, y2 = thing.box
    height, width = scene.image.shape[:2]
    return float(((x2 - x1) * (y2 - y1) / (width * height)) ** 0.5)


def _bands(edges: Sequence[str]) -> list[str]:
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"below {edges[0]}", *between, f"{edges[-1]} and more"]


def _by_label(bands: Sequence[str], placed: Sequence[tuple[Thing, int]]) -> Iterator[str]:
    rows = {
        label: Counter(band for thing, band in placed if thing.label == label) for label in LABELS
    }
    return _table(bands, rows)


def _table(columns: Sequence[str], rows: dict[str, Counter[int]]) -> Iterator[str]:
    yield f"| | {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for name, counts in rows.items():
        yield f"| {name} | {' | '.join(str(counts[band]) for band in range(len(columns)))} |"


if __name__ == "__main__":
    sys.stdout.write(page())
