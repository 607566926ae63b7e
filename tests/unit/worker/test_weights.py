import struct
from pathlib import Path

import pytest

from core.errors import FatalError
from worker.engines.paddle.weights import check_weights

FLOAT = 5


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def tensor(*sides: int, kind: int = FLOAT, data: bytes, levels: int = 0) -> bytes:
    """A tensor as Paddle writes it."""
    description = b"\x08" + varint(kind) + b"".join(b"\x10" + varint(side) for side in sides)
    head = struct.pack("<IQ", 0, levels) + struct.pack("<Ii", 0, len(description))
    return head + description + data


WHOLE = tensor(2, 3, data=bytes(24)) + tensor(4, data=bytes(16))


def check(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.pdiparams").write_bytes(content)
    check_weights(tmp_path / "m.pdiparams")


@pytest.mark.parametrize(
    "content", [b"", WHOLE, tensor(1 << 40, kind=99, data=b""), tensor(data=bytes(4))]
)
def test_what_paddle_may_look_at(tmp_path: Path, content: bytes) -> None:
    check(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (tensor(1 << 40, data=bytes(24)), "a tensor of 4,398,046,511,104 bytes in a file of"),
        (tensor(1 << 62, 1 << 62, data=bytes(24)), "a tensor of"),
        (tensor(-1 & (1 << 64) - 1, data=bytes(24)), "a tensor of"),
        (tensor(6, data=bytes(24), levels=1 << 40), "levels of offsets"),
        (struct.pack("<IQIi", 0, 0, 0, 2**31 - 1), "a description has 2147483647 bytes"),
        (struct.pack("<IQIi", 0, 0, 0, -1), "a description has -1 bytes"),
        (struct.pack("<IQIi", 0, 0, 0, 12) + b"\x08" + b"\xff" * 11, "has no end"),
        (WHOLE[:-1], "a tensor of 16 bytes in a file of"),
        (WHOLE[:-20], "damaged"),
        (b"\0", "damaged"),
    ],
)
def test_what_states_more_than_there_is(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(FatalError, match=said):
        check(tmp_path, content)
