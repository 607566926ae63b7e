import struct

import pytest

from core import formats
from core.errors import BadInputError
from core.formats import Format
from vision.read.identify import identify


def tiff(order: str, *entries: tuple[int, int, int]) -> bytes:
    """A TIFF's first directory: tag, type (3 short, 4 long), value."""
    packed = b"".join(
        struct.pack(order + "HHI", tag, kind, 1)
        + (struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value))
        for tag, kind, value in entries
    )
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IH", 8, len(entries)) + packed


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\xff\xd8\xff\xe0", formats.JPEG),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", formats.HEIC),
        (b"\0\0\0\x1cftypmif1\0\0\0\0heicmif1", formats.HEIC),
        (b"\0\0\0\x1cftypmif1\0\0\0\0miafavif", formats.AVIF),
        (b"\0\0\0\x1cftypavis\0\0\0\0msf1avif", formats.AVIF),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", formats.RAW),
        (b"BM" + bytes(12) + b"\x28\0\0\0", formats.BMP),
        (b"BM cut", formats.BMP),
        (b"P5\n2 2", formats.PNM),
        (b"P6#by hand\n2 2", formats.PNM),
        (b"\xff\x4f\xff\x51\0", formats.JPEG_2000),
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg', formats.SVG),
        (b" <svg xmlns=", formats.SVG),
        (bytes(128) + b"DICM", formats.DICOM),
        (b"8BPS\0\1", formats.PHOTOSHOP),
        (b"\0\0\2\0 TRUEVISION-XFILE.\0", formats.TARGA),
        (b"\x0a\5\1\x08\0\0", formats.PCX),
        (b"\x01\xda\1\1\0\3", formats.SGI),
    ],
)
def test_content_tells_the_format(data: bytes, found: Format) -> None:
    assert identify(data) is found


@pytest.mark.parametrize("order", "<>")
def test_raw_pictures_of_cameras_are_no_tiffs(order: str) -> None:
    assert identify(tiff(order, (256, 4, 64), (254, 4, 0))) is formats.TIFF
    assert identify(tiff(order, (254, 4, 1), (256, 4, 64))) is formats.TIFF
    assert identify(tiff(order, (254, 4, 1), (330, 4, 900))) is formats.RAW
    assert identify(tiff(order, (254, 3, 1), (330, 4, 900))) is formats.RAW
    assert identify(tiff(order, (50706, 4, 1))) is formats.RAW
    assert identify(tiff(order)[:9]) is formats.TIFF


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BMW is a car of this name",
        b"PS is a letter's end",
        b"<?xml version='1.0'?><html>",
        b"\0\0\0\x1cftypisom\0\0\0\0avc1",
    ],
)
def test_other_content_is_no_image(data: bytes) -> None:
    with pytest.raises(BadInputError) as caught:
        identify(data)
    assert caught.value.reason == "not_an_image"
