"""The stand-in, in a process where BMP files are read slowly: never, or after `SLOW` seconds.

Workers find it as the module that `REGATTA_ENGINES` names. Their widths say which files are slow.
"""

import threading
from typing import Any

from standin import load, offers, ways

from core import formats
from vision.read import picture

__all__ = ["load", "offers", "ways"]

SLOW_WIDTH, HUNG_WIDTH = 70, 71
SLOW = 1.5

_readers: Any = picture.READERS
_reader = _readers[formats.BMP]


class _SlowReader:
    """Reads as the proper reader does, having waited outside of anybody's reach."""

    inspect = staticmethod(_reader.inspect)

    @staticmethod
    def decode(data: bytes, header: Any, **how: Any) -> Any:
        if header.width == HUNG_WIDTH:
            threading.Event().wait()
        if header.width == SLOW_WIDTH:
            threading.Event().wait(SLOW)
        return _reader.decode(data, header, **how)


_readers[formats.BMP] = _SlowReader
