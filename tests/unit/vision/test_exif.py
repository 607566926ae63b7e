import struct

import pytest

from vision.read.exif import orientation_of


def exif(order: str, kind: int, value: int) -> bytes:
    form = {1: "B", 3: "H", 4: "I"}[kind]
    packed = struct.pack(order + form, value).ljust(4, b"\0")
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IHHHI", 8, 1, 0x0112, kind, 1) + packed


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("value", range(1, 9))
def test_both_byte_orders_and_both_sizes(order: str, kind: int, value: int) -> None:
    assert orientation_of(exif(order, kind, value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"XX*\0",
        exif("<", 3, 0),
        exif("<", 3, 9),
        exif("<", 3, 6)[:19],
        exif("<", 1, 6),
        b"II*\0" + struct.pack("<I", 2**32 - 1),
    ],
)
def test_nonsense_leaves_a_picture_as_it_is_stored(data: bytes) -> None:
    assert orientation_of(data) == 1
