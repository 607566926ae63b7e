"""Measures reading JPEGs beside cv2, on one core.

    python -m benchmarks.decoding --images DIR [--rounds 9]

In each round every JPEG of the folder is read by both, one after the other, so that both meet the
same noise; the ratio is the median of the rounds'. That the pixels are equal is checked first.
"""

import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.figures import Figure, options, report
from benchmarks.reference import decode
from core import formats
from core.errors import BadInputError
from vision.read.identify import identify
from vision.read.picture import read_picture

_ANY = 2**40


def _jpegs(folder: Path) -> list[bytes]:
    """Return the sound JPEGs of a folder, checked to be read alike."""
    found = []
    for path in sorted(filter(Path.is_file, folder.rglob("*"))):
        data = path.read_bytes()
        try:
            if identify(data) is not formats.JPEG:
                continue
            pixels = read_picture(data, max_pixels=_ANY).pixels
        except BadInputError:
            continue
        if not np.array_equal(pixels, decode(np.frombuffer(data, np.uint8))):
            raise SystemExit(f"{path} is read as something else than by cv2")
        found.append(data)
    return found


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=9)
    told = parser.parse_args()
    cv2.setNumThreads(1)
    files = _jpegs(told.images)
    ours, theirs = [], []
    for _ in range(told.rounds):
        spent = [0.0, 0.0]
        for data in files:
            begun = time.process_time()
            read_picture(data, max_pixels=_ANY)
            between = time.process_time()
            decode(np.frombuffer(data, np.uint8))
            spent[0] += between - begun
            spent[1] += time.process_time() - between
        ours.append(spent[0])
        theirs.append(spent[1])
    each = 1000 / len(files)
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    figures = [
        Figure("read_picture, each", each * statistics.median(ours), "ms"),
        Figure("cv2.imdecode, each", each * statistics.median(theirs), "ms"),
        Figure("ratio", ratio, "", goal=1.0, is_limit=True),
    ]
    how = {"files": len(files), "bytes": sum(map(len, files)), "rounds": told.rounds}
    report("decoding", figures, how, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
