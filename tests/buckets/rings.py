"""Writes where everything in a Swift of one disk lies: `rings.py FOLDER account=PORT ...`.

A process of its own: what it imports changes how the process forks from then on.
"""

import sys
from pathlib import Path

from swift.common.ring import RingBuilder


def write_ring(path: Path, port: int) -> None:
    builder = RingBuilder(4, 1, 1)
    place = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port}
    builder.add_dev({**place, "device": "disk", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(str(path))


if __name__ == "__main__":
    for kind, _, number in (word.partition("=") for word in sys.argv[2:]):
        write_ring(Path(sys.argv[1]) / f"{kind}.ring.gz", int(number))
