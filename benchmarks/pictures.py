"""Compares what is read of a folder of pictures with what Pillow and libvips read.

    python -m benchmarks.pictures FOLDER [--table pictures.tsv]

Writes a row for every file as soon as it is known: its verdict, size and mean colour (red, green,
blue) by each reader, and how the others differ from Regatta. libvips is asked where pyvips is
installed. Broken and hostile files are part of such folders: they are read in processes that have
a limit of time and memory, and may crash.
"""

import argparse
import csv
import io
import multiprocessing
import os
import resource
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.errors import BadInputError
from vision.read.picture import read_picture

_MOST_PIXELS = 200_000_000
_MOST_BYTES = 6 << 30  # of addresses, of which the libraries alone take one
_SECONDS = 20.0
_PROCESSES = 2
_SPAWN = multiprocessing.get_context("spawn")
_CLOSE, _CLOSE_PARTS = 2.0, 12.0  # of 255: in the mean colour, and in each of 4 x 4 parts


@dataclass(frozen=True)
class Verdict:
    """Why a file is refused, or the size, mean colour and 4 x 4 parts of its picture."""

    refusal: str = ""
    warning: str = ""
    size_wh: tuple[int, int] = (0, 0)
    mean_rgb: tuple[float, ...] = ()
    parts: tuple[float, ...] = ()

    def cells(self) -> tuple[str, str, str]:
        """Return the verdict in words, the size and the colour, as the table shows them."""
        if self.refusal:
            return self.refusal, "", ""
        colour = " ".join(f"{one:.1f}" for one in self.mean_rgb)
        words = f"warning: {self.warning}" if self.warning else "ok"
        return words, f"{self.size_wh[0]}x{self.size_wh[1]}", colour


Read = tuple[NDArray[np.uint8], str]


def _regatta(data: bytes) -> Read:
    picture = read_picture(data, max_pixels=_MOST_PIXELS)
    return picture.pixels[..., ::-1], "; ".join(picture.warnings)


def _pillow(data: bytes) -> Read:
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            return np.dstack([np.asarray(upright) >> 8] * 3).astype(np.uint8), ""
        return np.asarray(upright.convert("RGBA").convert("RGB")), ""


def _vips(data: bytes) -> Read:
    import pyvips  # noqa: PLC0415 - the one library that is not Regatta's

    image = pyvips.Image.new_from_buffer(data, "", fail_on="truncated").autorot()
    pixels = np.atleast_3d(image.colourspace("srgb").numpy())
    return np.asarray(pixels[..., :3], np.uint8), ""


_READERS: dict[str, Callable[[bytes], Read]] = {
    "regatta": _regatta,
    "pillow": _pillow,
    "libvips": _vips,
}


def judge(reader: str, data: bytes) -> Verdict:
    """Return what one of the readers says of a file."""
    try:
        pixels, warning = _READERS[reader](data)
    except BadInputError as error:
        return Verdict(f"{error.reason}: {error}")
    except Exception as error:  # whatever the others raise
        return Verdict(f"{type(error).__name__}: {' '.join(str(error).split())[:120]}")
    means = tuple(float(one) for one in pixels.reshape(-1, 3).mean(0))
    parts = cv2.resize(np.ascontiguousarray(pixels), (4, 4), interpolation=cv2.INTER_AREA)
    return Verdict(
        "", warning, (pixels.shape[1], pixels.shape[0]), means, tuple(map(float, parts.ravel()))
    )


def difference(ours: Verdict, theirs: Verdict) -> str:
    """Return in a word how two verdicts differ; nothing if they agree."""
    if ours.refusal or theirs.refusal:
        if ours.refusal and theirs.refusal:
            return ""
        return "only theirs" if ours.refusal else "only ours"
    if ours.size_wh != theirs.size_wh:
        return "size"
    if _apart(ours.mean_rgb, theirs.mean_rgb) > _CLOSE:
        return "colour"
    return "parts" if _apart(ours.parts, theirs.parts) > _CLOSE_PARTS else ""


def _apart(ours: tuple[float, ...], theirs: tuple[float, ...]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


class _Judge:
    """A process that reads files, and is replaced when one of them ends it or keeps it."""

    def __init__(self) -> None:
        self._end: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    def ask(self, reader: str, path: Path) -> Verdict:
        if self._end is None:
            self._end, theirs = _SPAWN.Pipe()
            self._process = _SPAWN.Process(target=_answer, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            self._end.recv()  # once it has loaded its libraries
        self._end.send((reader, path))
        try:
            if self._end.poll(_SECONDS):
                found: Verdict = self._end.recv()
                return found
            refusal = f"took more than {_SECONDS:g} s"
        except EOFError:
            refusal = "crash"
        assert self._process is not None
        self._process.kill()
        self._end = None
        return Verdict(refusal)


def _answer(end: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    end.send("ready")
    while True:
        reader, path = end.recv()
        end.send(judge(reader, path.read_bytes()))


def verdicts(readers: list[str], paths: list[Path]) -> Iterator[list[Verdict]]:
    """Yield the readers' verdicts of each file, in order."""
    threads = threading.local()

    def ask(path: Path) -> list[Verdict]:
        if not hasattr(threads, "judge"):
            threads.judge = _Judge()
        return [threads.judge.ask(reader, path) for reader in readers]

    with ThreadPoolExecutor(_PROCESSES) as pool:
        yield from pool.map(ask, paths)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path, default=Path("pictures.tsv"))
    told = parser.parse_args()
    readers = list(_READERS)
    try:
        import pyvips  # noqa: F401, PLC0415
    except ImportError:
        readers.remove("libvips")
    paths = sorted(filter(Path.is_file, told.folder.rglob("*")))
    counts: Counter[str] = Counter()
    with told.table.open("w", newline="", buffering=1) as file:
        table = csv.writer(file, delimiter="\t")
        columns = [f"{one} {what}".strip() for one in readers for what in ("", "size", "colour")]
        table.writerow(["file", *columns, *(f"beside {one}" for one in readers[1:])])
        for path, said in zip(paths, verdicts(readers, paths), strict=True):
            apart = [difference(said[0], one) for one in said[1:]]
            cells = (cell for one in said for cell in one.cells())
            table.writerow([path.relative_to(told.folder), *cells, *apart])
            for name, one, theirs in zip(readers[1:], apart, said[1:], strict=True):
                both = "refused by both" if theirs.refusal else "alike"
                counts[f"{name}: {one or both}"] += 1
    for what, count in sorted(counts.items()):
        print(f"{count:6} {what}")
    print(f"{len(paths):6} files, see {told.table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
