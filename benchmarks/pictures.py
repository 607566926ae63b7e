"""Compares what is read of a folder of pictures with what Pillow and libvips read.

    python -m benchmarks.pictures FOLDER [--table pictures.tsv]

Writes for every file that any of the three reads: its verdict, size and mean colour (red, green,
blue) by each, and what differs. libvips is asked where pyvips is installed. Broken files are part
of such folders: each reader has a process of its own, which may crash.
"""

import argparse
import csv
import io
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.errors import BadInputError
from vision.read.picture import read_picture

_MOST_PIXELS = 200_000_000
_SPAWN = multiprocessing.get_context("spawn")
_CLOSE = 2.0  # of 255, in the mean colour


@dataclass(frozen=True)
class Verdict:
    """Why a file is refused, or the size and mean colour of its picture."""

    refusal: str = ""
    size_wh: tuple[int, int] = (0, 0)
    mean_rgb: tuple[float, ...] = ()

    def __str__(self) -> str:
        if self.refusal:
            return self.refusal
        return (
            f"{self.size_wh[0]}x{self.size_wh[1]} {' '.join(f'{one:.1f}' for one in self.mean_rgb)}"
        )


def _regatta(data: bytes) -> NDArray[np.uint8]:
    return read_picture(data, max_pixels=_MOST_PIXELS).pixels[..., ::-1]


def _pillow(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16"):
            return np.dstack([np.asarray(upright) >> 8] * 3).astype(np.uint8)
        return np.asarray(upright.convert("RGBA").convert("RGB"))


def _vips(data: bytes) -> NDArray[np.uint8]:
    import pyvips  # noqa: PLC0415 - the one library that is not Regatta's

    image = pyvips.Image.new_from_buffer(data, "", fail_on="truncated").autorot()
    shift = 256 if image.interpretation in {"rgb16", "grey16"} else 1
    pixels = np.atleast_3d(image.numpy()) // shift
    return np.asarray(pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., :1].repeat(3, 2))


READERS: dict[str, Callable[[bytes], NDArray[np.uint8]]] = {
    "regatta": _regatta,
    "pillow": _pillow,
    "libvips": _vips,
}


def judge(reader: str, path: Path) -> Verdict:
    """Return what one of the readers says of a file."""
    try:
        pixels = READERS[reader](path.read_bytes())
    except BadInputError as error:
        return Verdict(f"{error.reason}: {error}")
    except Exception as error:  # whatever the others raise
        return Verdict(f"{type(error).__name__}: {' '.join(str(error).split())[:120]}")
    means = tuple(float(one) for one in pixels.reshape(-1, 3).mean(0))
    return Verdict("", (pixels.shape[1], pixels.shape[0]), means)


def difference(ours: Verdict, theirs: Verdict) -> str:
    """Return in a word how two verdicts differ; nothing if they agree."""
    if ours.refusal or theirs.refusal:
        if ours.refusal and theirs.refusal:
            return ""
        return "only theirs" if ours.refusal else "only ours"
    if ours.size_wh != theirs.size_wh:
        return "size"
    apart = max(abs(a - b) for a, b in zip(ours.mean_rgb, theirs.mean_rgb, strict=True))
    return "colour" if apart > _CLOSE else ""


def verdicts(reader: str, paths: list[Path]) -> Iterator[Verdict]:
    """Yield one reader's verdicts; a file that ends the process has that as its verdict."""
    left = list(paths)
    while left:
        with ProcessPoolExecutor(1, _SPAWN, initializer=_be_quiet) as pool:
            for done, path in enumerate(left, start=1):
                try:
                    yield pool.submit(judge, reader, path).result()
                except BrokenProcessPool:
                    yield Verdict("crash")
                    left = left[done:]
                    break
            else:
                return


def _be_quiet() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path, default=Path("pictures.tsv"))
    told = parser.parse_args()
    try:
        import pyvips  # noqa: F401, PLC0415
    except ImportError:
        del READERS["libvips"]
    paths = sorted(filter(Path.is_file, told.folder.rglob("*")))
    counts: Counter[str] = Counter()
    with told.table.open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["file", *READERS, *(f"beside {one}" for one in list(READERS)[1:])])
        for path, *said in zip(paths, *(verdicts(one, paths) for one in READERS), strict=True):
            if all(one.refusal for one in said):
                counts["read by none"] += 1
                continue
            apart = [difference(said[0], one) for one in said[1:]]
            table.writerow([path.relative_to(told.folder), *said, *apart])
            for name, one in zip(list(READERS)[1:], apart, strict=True):
                counts[f"{name}: {one or 'alike'}"] += 1
    for what, count in sorted(counts.items()):
        print(f"{count:6} {what}")
    print(f"see {told.table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
