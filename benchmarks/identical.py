"""Compares this checkout's results with another's, byte for byte.

    python -m benchmarks.identical --before CHECKOUT [--reference FOLDER]

The other checkout's `regatta` command (in its own .venv) and this one's run the same jobs, each in
its own home: every shipped model over drawn pictures, some of them broken, with every option that
changes rows or pictures. With `--reference`, that folder's models (see docs/testing.md) are
registered and run over its photos too. Result parts, annotated pictures, masks and cut-outs are
compared as files. If a result part differs, schema and rows are compared, and the table says so: a
different version of the Parquet library may write the same rows as different bytes.

Manifests hold ids, times and versions, and are left out. If anything differs, the exit code is 1
and the files are kept.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from sample.dataset import dataset_at

REPOSITORY = Path(__file__).parents[1]
SCENES = 8
# Parts and batches of a fixed size, several of each, the last ones not full.
SHAPE = ("--shard-items", "5", "--batch-size", "2")
COMPARED = ("results", "annotated", "masks", "cutouts")
SOME_QUARANTINED = 3

_DETECTOR = "{exports}/regatta_fcos_384"
_SEGMENTER = "{exports}/regatta_seg_256"
_CLASSIFIER = "{exports}/regatta_weather_128"
SHIPPED = {
    "detection": f"--model {_DETECTOR}",
    "detection, threshold": f"--model {_DETECTOR} --threshold 0.2",
    "detection, sliced": f"--model {_DETECTOR} --slice 320x256 --overlap 0.3",
    "detection, sliced, nms": f"--model {_DETECTOR} --slice 320x256 --merge nms",
    "detection, no pictures": f"--model {_DETECTOR} --no-annotate",
    "segmentation": f"--model {_SEGMENTER}",
    "segmentation, polygons": f"--model {_SEGMENTER} --polygons --alpha 0.8",
    "classification": f"--model {_CLASSIFIER}",
    "classification, threshold": f"--model {_CLASSIFIER} --threshold 0.01",
    "keypoints": "--model {exports}/composed/regatta_rowers.toml",
    "keypoints, sliced": "--model {exports}/composed/regatta_rowers.toml --slice 320x256",
    "text": "--model {exports}/composed/regatta_names.toml",
    "three models": f"--model {_DETECTOR} --model {_SEGMENTER} --model {_CLASSIFIER}",
}

REGISTERED = (
    "picodet_xs_320_coco_lcnet",
    "tinypose_128x96",
    "tinypose_256x192",
    "humanseg_192",
    "ppocr_v3_en_det",
    "ppocr_v2_textline_orientation",
    "ppocr_en_rec",
    "shufflenet_v2_x1_0",
)
READER = """task = "ocr"
[parts]
text_det = "ppocr_v3_en_det"
orientation = "ppocr_v2_textline_orientation"
text_rec = "ppocr_en_rec"
"""
REFERENCE = {
    "picodet": "--model picodet_xs_320_coco_lcnet",
    "picodet, sliced": "--model picodet_xs_320_coco_lcnet --slice 640x640",
    "tinypose 128": "--model tinypose_128x96 --detector picodet_xs_320_coco_lcnet",
    "tinypose 256": "--model tinypose_256x192 --detector picodet_xs_320_coco_lcnet",
    "humanseg": "--model humanseg_192 --polygons",
    "shufflenet": "--model shufflenet_v2_x1_0",
    "ppocr": "--model reader",
}


@dataclass(frozen=True, slots=True)
class Side:
    """A checkout's command line, with its own home and output folder."""

    checkout: Path
    folder: Path

    @contextmanager
    def up(self) -> Iterator[None]:
        """Keep the stack running, which each command would otherwise start anew."""
        self.folder.mkdir()
        with (
            (self.folder / "up.log").open("w") as log,
            subprocess.Popen(self._command("up"), env=self._env, stdout=log, stderr=log) as stack,
        ):
            try:
                yield
            finally:
                stack.terminate()

    def register(self, models: Path) -> None:
        """Register the reference models, and the one composed of three of them."""
        reader = self.folder / "reader.toml"
        reader.write_text(READER)
        sources = {name: models / name for name in REGISTERED} | {"reader": reader}
        for name, source in sources.items():
            self._run("models", "add", name, str(source))

    def job(self, name: str, pictures: Path, options: str) -> None:
        """Run a job; its output is `output(name)`."""
        words = options.format(exports=self.checkout / "sample" / "exports").split()
        self._run("run", str(pictures), *words, *SHAPE, "--output", str(self.output(name)))

    def output(self, name: str) -> Path:
        """Return the folder of a job's output."""
        return self.folder / name.replace(", ", "-").replace(" ", "-")

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            self._command(*words), env=self._env, capture_output=True, text=True, check=False
        )
        if done.returncode not in {0, SOME_QUARANTINED}:
            raise SystemExit(f"regatta {' '.join(words)} of {self.checkout} failed:\n{done.stderr}")

    def _command(self, *words: str) -> list[str]:
        return [str(self.checkout / ".venv" / "bin" / "regatta"), *words]

    @property
    def _env(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("REGATTA_")}
        return inherited | {"REGATTA_HOME": str(self.folder / "home")}


def differences(before: Path, after: Path) -> tuple[Counter[str], list[str]]:
    """Return how many files were compared, by folder, and what differs."""
    places = [
        {path.relative_to(side) for top in COMPARED for path in (side / top).rglob("*.*")}
        for side in (before, after)
    ]
    found = [f"{path}: only before" for path in sorted(places[0] - places[1])]
    found += [f"{path}: only after" for path in sorted(places[1] - places[0])]
    same = sorted(places[0] & places[1])
    counts = Counter(path.parts[0] for path in same)
    if not counts["results"]:
        found.append("no result parts")
    for path in same:
        if (before / path).read_bytes() == (after / path).read_bytes():
            continue
        if path.suffix != ".parquet":
            found.append(f"{path}: other bytes")
        elif what := _difference(before / path, after / path):
            found.append(f"{path}: {what}")
        else:
            counts["other bytes, same rows"] += 1
    return counts, found


def _difference(before: Path, after: Path) -> str | None:
    """Return what differs between the tables of two Parquet files."""
    one, other = pq.read_table(before), pq.read_table(after)
    if not one.schema.equals(other.schema):
        return "another schema"
    columns = [n for n in one.column_names if not one.column(n).equals(other.column(n))]
    return f"other values in {', '.join(columns)}" if columns else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identical", description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="the other checkout")
    parser.add_argument("--reference", type=Path, help="a folder with models and media/photos")
    told = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="regatta-identical-"))
    pictures = dataset_at(folder / "drawn", SCENES).folder
    jobs: Mapping[str, tuple[Path, str]] = {name: (pictures, o) for name, o in SHIPPED.items()}
    if told.reference:
        photos = told.reference.resolve() / "media" / "photos"
        jobs = {**jobs, **{name: (photos, options) for name, options in REFERENCE.items()}}
    sides = [Side(told.before.resolve(), folder / "before"), Side(REPOSITORY, folder / "after")]
    for side in sides:
        with side.up():
            if told.reference:
                side.register(told.reference.resolve() / "models")
            for name, (source, options) in jobs.items():
                side.job(name, source, options)
    differ = False
    for name in jobs:
        counts, found = differences(*(side.output(name) for side in sides))
        differ |= bool(found)
        files = ", ".join(f"{what} {number}" for what, number in sorted(counts.items()))
        print(f"{name:26} {'DIFFERS' if found else 'identical':10} {files}")
        print("".join(f"    {line}\n" for line in found), end="")
    if differ:
        print(f"The files are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
