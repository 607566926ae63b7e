"""Checks that a weights file holds what its headers state.

Paddle reserves what a header states before it reads it. If the file lies, it says that memory is
short, which a machine with more of it would not mend.

The format is that of `SerializeToStream` in Paddle's `paddle/phi/core/framework`: one tensor after
another. Each is a version (4 bytes), the levels of its offsets (8 bytes; for each a size of 8 bytes
and as many bytes), another version (4), the size of its description (4), the description, and the
elements. The description is protobuf: field 1 the type of its elements, field 2 its sides. Numbers
are little-endian.
"""

import io
import math
import struct
from pathlib import Path
from typing import IO

from core.errors import FatalError

_LARGEST_DESCRIPTION = 1 << 16
_MOST_LEVELS = 64
_VARINT = 0
_TYPE, _SIDES = 1, 2  # fields of the description
_LONGEST_VARINT = 10  # bytes

# `VarType.Type` in Paddle's framework.proto, by size; others are not checked.
_BYTES = {
    0: 1,
    1: 2,
    2: 4,
    3: 8,
    4: 2,
    5: 4,
    6: 8,
    20: 1,
    21: 1,
    22: 2,
    23: 8,
    24: 16,
    32: 1,
    33: 1,
}


class _UnknownError(Exception):
    """A later version of Paddle wrote this."""


def check_weights(path: Path) -> None:
    """Walk through a combined weights file, reading its headers alone.

    Raises:
        FatalError: a header states more than the file holds.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            while file.tell() < size:
                _skip_tensor(file, size)
        except _UnknownError:
            return  # Paddle itself will tell
        except (struct.error, OverflowError, ValueError) as error:
            raise FatalError(
                f"the weights {path} are cut short or damaged: {error or 'a header is odd'}",
                hint="a damaged download, or not the weights of this graph: get them again",
            ) from error


def _skip_tensor(file: IO[bytes], size: int) -> None:
    _, levels = struct.unpack("<IQ", file.read(12))
    if levels > _MOST_LEVELS:
        raise ValueError(f"a tensor has {levels} levels of offsets")
    for _ in range(levels):
        [length] = struct.unpack("<Q", file.read(8))
        _skip(file, length, size)
    _, length = struct.unpack("<Ii", file.read(8))
    if not 0 <= length <= _LARGEST_DESCRIPTION:
        raise ValueError(f"a description has {length} bytes")
    kind, sides = _described(io.BytesIO(file.read(length)), length)
    if kind not in _BYTES:
        raise _UnknownError(kind)
    _skip(file, math.prod(sides) * _BYTES[kind], size)


def _skip(file: IO[bytes], count: int, size: int) -> None:
    if file.tell() + count > size:
        raise ValueError(f"a tensor of {count:,} bytes in a file of {size:,}")
    file.seek(count, io.SEEK_CUR)


def _described(description: IO[bytes], length: int) -> tuple[int, list[int]]:
    """Return the type and the sides in a description."""
    kind, sides = -1, []
    while description.tell() < length:
        field, wire = divmod(_varint(description), 8)
        value = _varint(description)
        if field == _TYPE and wire == _VARINT:
            kind = value
        elif field == _SIDES and wire == _VARINT:
            sides.append(value)
        else:
            raise _UnknownError(field)
    return kind, sides


def _varint(file: IO[bytes]) -> int:
    number = 0
    for place in range(_LONGEST_VARINT):
        [byte] = file.read(1) or b"\x80"
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return number
    raise ValueError("a number in a description has no end")
