import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from core.errors import BadInputError
from vision.read.picture import read_picture

LIMIT = 10**7
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)


def quadrants() -> Image.Image:
    """60 wide, 40 high: red, blue over grey, green."""
    pixels = np.empty((40, 60, 3), np.uint8)
    pixels[:20, :30], pixels[:20, 30:] = RED, BLUE
    pixels[20:, :30], pixels[20:, 30:] = GREY, GREEN
    return Image.fromarray(pixels)


def photo() -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 3))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def corners_rgb(image_bgr: np.ndarray) -> list[tuple[int, ...]]:
    height, width = image_bgr.shape[:2]
    points = [(5, 5), (5, width - 6), (height - 6, 5), (height - 6, width - 6)]
    return [tuple(image_bgr[y, x, ::-1].tolist()) for y, x in points]


def refused(data: bytes, max_pixels: int = LIMIT) -> str:
    with pytest.raises(BadInputError) as caught:
        read_picture(data, max_pixels=max_pixels)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "JPEG2000"])
def test_lossless_formats_give_their_pixels(kind: str) -> None:
    image = read_picture(encoded(quadrants(), kind), max_pixels=LIMIT).pixels
    assert image.dtype == np.uint8
    assert image.shape == (40, 60, 3)
    assert corners_rgb(image) == [RED, BLUE, GREY, GREEN]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_is_what_the_official_tools_read(options: dict[str, Any]) -> None:
    data = encoded(photo(), "JPEG", **options)
    official = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert official is not None
    assert np.array_equal(read_picture(data, max_pixels=LIMIT).pixels, official)


def test_webp_is_close_to_its_source() -> None:
    image = read_picture(encoded(quadrants(), "WEBP", lossless=True), max_pixels=LIMIT).pixels
    assert corners_rgb(image) == [RED, BLUE, GREY, GREEN]


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_becomes_three_equal_channels(mode: str, kind: str) -> None:
    source = quadrants().convert(mode)
    grey = np.asarray(source.convert("L"))
    image = read_picture(encoded(source, kind), max_pixels=LIMIT).pixels
    assert np.array_equal(image, np.dstack([grey] * 3))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_palette_becomes_colour(kind: str) -> None:
    source = quadrants().quantize(4)
    image = read_picture(encoded(source, kind), max_pixels=LIMIT).pixels
    assert np.array_equal(image[..., ::-1], np.asarray(source.convert("RGB")))


def test_alpha_is_dropped_not_blended() -> None:
    source = quadrants()
    source.putalpha(Image.new("L", source.size, 0))
    image = read_picture(encoded(source, "PNG"), max_pixels=LIMIT).pixels
    assert corners_rgb(image) == [RED, BLUE, GREY, GREEN]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_keep_their_upper_eight(suffix: str) -> None:
    deep = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    encoded_ok, buffer = cv2.imencode(suffix, np.dstack([deep, deep[::-1], deep.T]))
    assert encoded_ok
    image = read_picture(buffer.tobytes(), max_pixels=LIMIT).pixels
    expected = np.dstack([deep, deep[::-1], deep.T]) >> 8
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_cmyk_jpeg_is_not_inverted() -> None:
    # Pillow writes CMYK as Adobe does: inverted, with Adobe's marker.
    image = read_picture(encoded(quadrants().convert("CMYK"), "JPEG"), max_pixels=LIMIT).pixels
    for found, expected in zip(corners_rgb(image), [RED, BLUE, GREY, GREEN], strict=True):
        assert np.abs(np.subtract(found, expected)).max() <= 3


# Where the upright red, blue, grey and green corners lie in the stored picture is what EXIF's
# numbers mean; see the table in the EXIF specification, tag 0x0112.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", sorted(STORED))
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    stored = np.ascontiguousarray(STORED[orientation](np.asarray(quadrants())))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"exif": exif} | ({"lossless": True} if kind == "WEBP" else {})
    image = read_picture(encoded(Image.fromarray(stored), kind, **options), max_pixels=LIMIT).pixels
    assert image.shape == (40, 60, 3)
    for found, expected in zip(corners_rgb(image), [RED, BLUE, GREY, GREEN], strict=True):
        assert np.abs(np.subtract(found, expected)).max() <= 3


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_many_is_read(kind: str) -> None:
    other = Image.new("RGB", (60, 40), (250, 250, 0))
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(quadrants(), kind, save_all=True, append_images=[other, other], **options)
    assert corners_rgb(read_picture(data, max_pixels=LIMIT).pixels) == [RED, BLUE, GREY, GREEN]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_an_image_of_one_pixel_is_an_image(kind: str) -> None:
    data = encoded(Image.new("RGB", (1, 1), RED), kind)
    assert read_picture(data, max_pixels=1).pixels.shape == (1, 1, 3)


def test_no_bytes() -> None:
    assert refused(b"") == "empty"


@pytest.mark.parametrize("data", [b"\0", b"not a picture\n", b"BMW is a car of this name"])
def test_other_content(data: bytes) -> None:
    assert refused(data) == "not_an_image"


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP", "PPM"])
def test_a_cut_file_is_refused_and_never_half_grey(kind: str, share: float) -> None:
    data = encoded(photo(), kind)
    assert refused(data[: int(len(data) * share)]) == "truncated"


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_cut_progressive_jpeg_is_refused(share: float) -> None:
    data = encoded(photo(), "JPEG", progressive=True)
    assert refused(data[: int(len(data) * share)]) == "truncated"


def test_what_was_appended_to_a_whole_jpeg_does_not_matter() -> None:
    data = encoded(photo(), "JPEG")
    image = read_picture(data + b"\0\0 a motion photo's video", max_pixels=LIMIT).pixels
    assert np.array_equal(image, read_picture(data, max_pixels=LIMIT).pixels)


def test_damage_is_not_taken_for_something_else() -> None:
    png = bytearray(encoded(photo(), "PNG"))
    png[60:90] = bytes(30)
    assert refused(bytes(png)) == "decode_failed"
    assert refused(b"\xff\xd8\xff\xe0garbage\xff\xd9") == "decode_failed"


def test_a_huge_header_is_refused_before_anything_is_allocated() -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    data += struct.pack(">I", zlib.crc32(header)) + struct.pack(">I", 100) + b"IDAT" + bytes(104)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadInputError, match=r"50000x50000 .* limit is 10000000") as caught:
            read_picture(data, max_pixels=LIMIT)
    assert caught.value.reason == "too_large"


def test_the_limit_itself_is_allowed() -> None:
    data = encoded(quadrants(), "PNG")
    assert read_picture(data, max_pixels=2400).pixels.shape == (40, 60, 3)
    assert refused(data, max_pixels=2399) == "too_large"


def test_many_threads_read_what_one_reads() -> None:
    data = [encoded(photo().rotate(angle), "JPEG") for angle in range(0, 320, 10)]
    alone = [read_picture(one, max_pixels=LIMIT).pixels for one in data]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: read_picture(one, max_pixels=LIMIT).pixels, data))
    assert all(map(np.array_equal, alone, together))


@pytest.mark.parametrize(
    ("how", "times"),
    [
        ({}, 1),
        ({"progressive": True, "subsampling": 0}, 3),  # coefficients have 16 bits
        ({"progressive": True, "subsampling": 2}, 2),
        ({"exif": turned(6)}, 2),
        ({"exif": turned(6), "progressive": True, "subsampling": 0}, 3),
    ],
)
def test_what_decoding_takes_is_known_before_it_begins(how: dict[str, Any], times: int) -> None:
    begun: list[int] = []
    data = encoded(Image.new("RGB", (48, 64)), "JPEG", **how)
    read_picture(data, max_pixels=LIMIT, begin=lambda header: begun.append(header.decode_bytes))
    assert begun == [times * 3 * 64 * 48]
