"""Writes a folder of scenes like a real one of photos: various formats, sizes, broken files."""

import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2

from sample.broken import BREAKAGES
from sample.coco import Record, annotations_of, coco_truth
from sample.scene import size_of
from sample.weather import Image
from sample.world import new_world

SUFFIXES = (".jpg", ".jpg", ".png", ".jpg", ".webp")
"""The formats, in turn."""

Picture = tuple[Record, list[Record]]
"""A picture's image record and annotations."""

_PER_FOLDER = 60
_QUALITY = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 92],
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 88],
}
_CHUNK = 4


@dataclass(frozen=True, slots=True)
class Dataset:
    """Scenes in `folder`; `truth` describes them in COCO's format (see `sample.coco`).

    For the picture `a/b.jpg`, `segments` holds `a/b.jpg.png`, which says what each pixel shows, as
    indices into `sample.labels.SEGMENTS`. Beside the `sound` pictures there are files broken on
    purpose; `broken` maps them to the reasons with which they must be quarantined.
    """

    folder: Path
    truth: Path
    segments: Path
    sound: int
    broken: dict[str, str]


def dataset_at(
    place: Path, scenes: int, *, seed: int = 0, drawn: Callable[[int], None] = lambda _: None
) -> Dataset:
    """Return the dataset of `scenes` pictures with seeds from `seed` on, and a few broken files.

    It is drawn into `place` unless that exists; it appears complete or not at all. `drawn` is
    called after each picture with their number. The same arguments give the same files.
    """
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".drawing-") as unfinished:
            _draw_into(Path(unfinished) / place.name, scenes, seed, drawn)
            try:
                (Path(unfinished) / place.name).rename(place)
            except OSError:
                if not place.exists():  # else another process was faster, with the same files
                    raise
    broken = {_broken_name(number): kind.reason for number, kind in enumerate(BREAKAGES)}
    return Dataset(place / "scenes", place / "truth.json", place / "segments", scenes, broken)


def _draw_into(place: Path, scenes: int, seed: int, drawn: Callable[[int], None]) -> None:
    folder = place / "scenes"
    folder.mkdir(parents=True)
    truth = coco_truth(_draw_all(folder, scenes, seed, drawn))
    (place / "truth.json").write_text(json.dumps(truth))
    whole = new_world(seed).scene().image
    for number, breakage in enumerate(BREAKAGES):
        spoilt = breakage.spoil(_encoded(whole, breakage.suffix))
        _write(folder / _broken_name(number), spoilt)


def _draw_all(
    folder: Path, scenes: int, seed: int, drawn: Callable[[int], None]
) -> Iterator[Picture]:
    # Fresh interpreters: the caller may have threads, which don't survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context, cv2.setNumThreads, (1,)) as pool:
        places = [(folder, number, seed + number) for number in range(scenes)]
        for number, picture in enumerate(pool.map(_draw, places, chunksize=_CHUNK), 1):
            drawn(number)
            yield picture


def _draw(place: tuple[Path, int, int]) -> Picture:
    folder, number, seed = place
    name = file_name(number)
    scene = new_world(seed, size_of(number)).scene()
    _write(folder / name, _encoded(scene.image, Path(name).suffix))
    _write(folder.parent / "segments" / f"{name}.png", _encoded(scene.segments, ".png"))
    height, width = scene.image.shape[:2]
    image = {"file_name": name, "width": width, "height": height, "weather": scene.weather}
    return image, list(annotations_of(scene))


def file_name(number: int) -> str:
    """Return the name of the picture with this number, counted from 0."""
    # Shift the formats against the sizes, whose cycle has the same length.
    suffix = SUFFIXES[(number + number // len(SUFFIXES)) % len(SUFFIXES)]
    return f"race-{number // _PER_FOLDER + 1}/{number:04}{suffix}"


def _broken_name(number: int) -> str:
    return f"race-1/broken-{number}{BREAKAGES[number].suffix}"


def _encoded(image: Image, suffix: str) -> bytes:
    _, data = cv2.imencode(suffix, image, _QUALITY[suffix])
    return data.tobytes()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
