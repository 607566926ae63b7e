import io
import resource
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from core.errors import BadInputError
from vision.read.picture import Picture, read_picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NOISE = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(pixels: np.ndarray = NOISE, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes, interlaced: int = 0) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 40, 8, 2, 0, 0, interlaced))
    return b"".join((SIGNATURE, header, *chunks, chunk(b"IEND", b"")))


def rows() -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in NOISE)


def read(data: bytes, *, is_lenient: bool = False) -> Picture:
    return read_picture(data, max_pixels=10**6, is_lenient=is_lenient)


def refused(data: bytes) -> str:
    with pytest.raises(BadInputError) as caught:
        read(data)
    return caught.value.reason


def test_a_chunk_of_2_gb_that_a_small_file_states_is_not_allocated() -> None:
    data = bytearray(encoded(NOISE[:2, :2]))
    at = data.find(b"IDAT") - 4
    data[at : at + 4] = b"\x7f\xff\xff\xff"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(bytes(data)) == "truncated"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_what_a_text_or_profile_unpacks_to_does_not_matter(kind: bytes) -> None:
    packed = zlib.compress(bytes(30_000_000), 1)
    bodies = {
        b"zTXt": b"prompt\0\0" + packed,
        b"iTXt": b"prompt\0\1\0\0\0" + packed,
        b"iCCP": b"profile\0\0" + packed,
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    picture = read(png(chunk(kind, bodies[kind]), chunk(b"IDAT", zlib.compress(rows()))))
    assert np.array_equal(picture.pixels[..., ::-1], NOISE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_long_text_of_pillow_is_passed_over() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", "x" * 1_100_000, zip=True)
    assert read(encoded(pnginfo=text)).pixels.shape == (40, 60, 3)


def imagemagick(kind: str, exif: bytes) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    digits = exif.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    body = f"\nexif\n{len(exif):8}\n{lines}\n"
    if kind == "iTXt":
        text.add_itxt("Raw profile type exif", body, zip=True)
    else:
        text.add_text("Raw profile type exif", body, zip=kind == "zTXt")
    return text


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
def test_exif_in_imagemagicks_text_turns_the_picture(kind: str, prefix: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    tiff = exif.tobytes().removeprefix(b"Exif\0\0")
    pixels = read(encoded(pnginfo=imagemagick(kind, prefix + tiff))).pixels
    assert np.array_equal(pixels[..., ::-1], np.rot90(NOISE, -1))


def test_nonsense_in_imagemagicks_text_turns_nothing() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n  99999\n zz")
    assert read(encoded(pnginfo=text)).pixels.shape == (40, 60, 3)


def test_of_an_animation_the_picture_is_shown_that_other_viewers_show() -> None:
    frames = [Image.fromarray(255 - NOISE)] * 2
    data = encoded(save_all=True, append_images=frames, default_image=True)
    assert np.array_equal(read(data).pixels[..., ::-1], NOISE)


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([chunk(b"IDAT", zlib.compress(rows())[:-9])], "truncated"),
        ([chunk(b"IDAT", zlib.compress(rows()[:3000]))], "truncated"),
        ([chunk(b"IDAT", zlib.compress(rows()))[:-1] + b"!"], "decode_failed"),
        ([chunk(b"IDAT", zlib.compress(rows())[:-4] + b"abcd")], "decode_failed"),
        ([chunk(b"IDAT", zlib.compress(b"\x09" + rows()[1:]))], "decode_failed"),
        ([], "truncated"),
    ],
    ids=["cut stream", "too few rows", "checksum", "sum of the stream", "filter", "no pixels"],
)
def test_damage_is_refused_and_never_black_areas(chunks: list[bytes], reason: str) -> None:
    data = png(*chunks)
    assert refused(data) == reason
    if chunks:
        assert read(data, is_lenient=True).warnings


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_lenient_reader_keeps_what_comes_before_the_cut(*, interlaced: bool) -> None:
    smooth = cv2.GaussianBlur(np.repeat(NOISE, 8, axis=0).repeat(8, axis=1), (0, 0), 3)
    data = encoded(smooth)
    if interlaced:
        data = interlace(smooth)
    half = read(data[: len(data) // 2], is_lenient=True)
    assert half.warnings == ("the PNG is cut short",)
    assert half.pixels.shape == smooth.shape
    if not interlaced:
        assert np.array_equal(half.pixels[:100, :, ::-1], smooth[:100])
        assert not half.pixels[-20:].any()


def interlace(pixels: np.ndarray) -> bytes:
    """Write a PNG in Adam7's seven passes."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    stream = b"".join(
        b"\0" + row.tobytes()
        for left, top, x, y in (*passes, (0, 1, 1, 2))
        for row in pixels[top::y, left::x]
    )
    height, width = pixels.shape[:2]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1))
    return b"".join((SIGNATURE, header, chunk(b"IDAT", zlib.compress(stream)), chunk(b"IEND", b"")))


def test_interlaced_ones_are_read() -> None:
    assert np.array_equal(read(interlace(NOISE)).pixels[..., ::-1], NOISE)


def test_chunks_that_pixels_do_not_need_are_passed_over(capfd: pytest.CaptureFixture[str]) -> None:
    proposal, wrong = chunk(b"PLTE", b"\0\0\0" * 256)[:-1] + b"?", chunk(b"tRNS", b"\xff" * 6)
    data = png(proposal, wrong, chunk(b"IDAT", zlib.compress(rows())))
    assert np.array_equal(read(data).pixels[..., ::-1], NOISE)
    assert refused(data[:400]) == "truncated"
    assert capfd.readouterr().err == ""  # lines there name no file


def test_apples_variant_has_a_name() -> None:
    data = encoded()
    with pytest.raises(BadInputError, match="Apple") as caught:
        read(data[:8] + chunk(b"CgBI", bytes(4)) + data[8:])
    assert caught.value.reason == "not_supported"


def test_very_many_chunks_are_refused_but_one_for_each_byte_is_read() -> None:
    packed = zlib.compress(rows())
    single = png(*(chunk(b"IDAT", packed[at : at + 1]) for at in range(len(packed))))
    assert np.array_equal(read(single).pixels[..., ::-1], NOISE)
    empty = chunk(b"prIV", b"") * 30_000
    assert refused(png(empty, chunk(b"IDAT", packed))) == "decode_failed"
