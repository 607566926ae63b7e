r"""Makes what REGATTA_EXPORTS names, of the official repositories and random weights.

    python make.py --out FOLDER --photos FOLDER \
        [--paddledetection CHECKOUT] [--paddleseg CHECKOUT] [NAME ...]

Each model is exported by a process of its own. What is in the folder already stays as it is.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from recipes import PADDLEDETECTION, PADDLESEG, Recipe

HERE = Path(__file__).parent


def made(script: str, checkout: Path, photos: Path, name: str, out: Path) -> str:
    """Export a model into `out`, whole or not at all; return what is to be said about it."""
    if (out / name).is_dir():
        return "was there"
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=out) as scratch:
        log = out / f"{name}.log"
        with log.open("wb") as said:
            command = [sys.executable, HERE / script, checkout, photos, name, scratch]
            done = subprocess.run(
                list(map(str, command)), stdout=said, stderr=said, cwd=scratch, check=False
            )
        graphs = list(Path(scratch).rglob("model.json"))
        if done.returncode or not graphs:
            return f"failed ({done.returncode}), see {log}"
        graphs[0].parent.rename(out / name)
        log.unlink()
        # TemporaryDirectory wants to find what it made.
        Path(scratch).mkdir(exist_ok=True)
    return f"made in {time.monotonic() - begun:.0f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True, help="calibrate random weights")
    parser.add_argument("--paddledetection", type=Path)
    parser.add_argument("--paddleseg", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    told = parser.parse_args()
    out: Path = told.out.absolute()
    photos: Path = told.photos.absolute()
    if not any(photos.glob("*.jpg")):
        parser.error(f"there are no photos in {photos}")
    out.mkdir(parents=True, exist_ok=True)
    sources: list[tuple[Path | None, str, Mapping[str, Recipe]]] = [
        (told.paddledetection, "detection.py", PADDLEDETECTION),
        (told.paddleseg, "segmentation.py", PADDLESEG),
    ]
    unknown = set(told.names) - PADDLEDETECTION.keys() - PADDLESEG.keys()
    if unknown:
        parser.error(f"there are no recipes for {', '.join(sorted(unknown))}")
    lines = []
    for checkout, script, recipes in sources:
        for name in recipes:
            if told.names and name not in told.names:
                continue
            said = "no checkout"
            if checkout is not None:
                said = made(script, checkout.absolute(), photos, name, out)
            lines.append((name, said))
            sys.stderr.write(f"{name}: {said}\n")
    for name, said in lines:
        files = [file for file in (out / name).glob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files) / 2**20
        sys.stdout.write(f"{name:<14} {size:7.1f} MiB  {said}\n")
    return int(any(said.startswith("failed") for _, said in lines))


if __name__ == "__main__":
    sys.exit(main())
