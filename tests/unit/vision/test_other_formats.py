"""BMP, GIF, WebP, PNM, JPEG 2000, AVIF and HEIC."""

import io
import struct
import tracemalloc
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from core.errors import BadInputError
from vision.read import jpeg2000, netpbm
from vision.read.picture import Picture, read_picture

NOISE = np.random.default_rng(5).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def encoded(kind: str, pixels: np.ndarray = NOISE, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def read(data: bytes, *, is_lenient: bool = False) -> Picture:
    return read_picture(data, max_pixels=10**6, is_lenient=is_lenient)


def rgb(data: bytes) -> np.ndarray:
    return read(data).pixels[..., ::-1]


def refused(data: bytes) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        read(data)
    return caught.value


HEADERS = [40, 52, 56, 64, 108, 124]


def bmp(
    size: int, bits: int, pixels: bytes, *, masks: tuple[int, ...] = (), height: int = 40
) -> bytes:
    """Write a BMP 60 pixels wide with a header of any version; `masks` are red, green, blue."""
    if size in {12, 16}:
        form = "<IHHHH" if size == 12 else "<IiiHH"
        header = struct.pack(form, size, 60, height, 1, bits)
    else:
        method = 3 if masks else 0
        header = struct.pack("<IiiHHII", size, 60, height, 1, bits, method, len(pixels)) + bytes(16)
        inside = struct.pack(f"<{len(masks)}I", *masks)
        header += inside if size == 40 else inside.ljust(size - 40, b"\0")
    at = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + header + pixels


@pytest.mark.parametrize("size", [12, 16, *HEADERS])
def test_bmp_headers_of_every_version(size: int) -> None:
    assert np.array_equal(rgb(bmp(size, 24, NOISE[::-1, :, ::-1].tobytes())), NOISE)


@pytest.mark.parametrize("size", [40, 52, 56, 108, 124])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (3, 1, 0), (1, 3, 2)])
def test_bmp_masks_in_any_order(size: int, order: tuple[int, int, int]) -> None:
    samples = np.zeros((40, 60, 4), np.uint8)
    samples[..., order] = NOISE[::-1]
    masks = tuple(0xFF << 8 * at for at in order)
    assert np.array_equal(rgb(bmp(size, 32, samples.tobytes(), masks=masks)), NOISE)


@pytest.mark.parametrize("size", [40, 56, 108])
@pytest.mark.parametrize("height", [40, -40])
def test_bmp_of_5_6_and_5_bits_keeps_them_as_the_upper_ones(size: int, height: int) -> None:
    red, green, blue = np.moveaxis(NOISE.astype(np.uint16), -1, 0)
    samples = (red >> 3 << 11 | green >> 2 << 5 | blue >> 3)[:: -np.sign(height)]
    masks = (0xF800, 0x7E0, 0x1F)
    data = bmp(size, 16, samples.astype("<u2").tobytes(), masks=masks, height=height)
    assert np.array_equal(rgb(data), NOISE & np.array([0xF8, 0xFC, 0xF8], np.uint8))


def test_bmp_of_10_bits_keeps_their_upper_eight() -> None:
    deep = NOISE.astype(np.uint32) << 2
    samples = (deep[..., 0] << 20 | deep[..., 1] << 10 | deep[..., 2])[::-1]
    masks = (0x3FF << 20, 0x3FF << 10, 0x3FF)
    assert np.array_equal(rgb(bmp(56, 32, samples.astype("<u4").tobytes(), masks=masks)), NOISE)


@pytest.mark.parametrize(("stated", "third"), [(2, 0), (3, 200), (0, 200)])
def test_a_bmp_has_as_many_colours_as_it_states(stated: int, third: int) -> None:
    # Four bits each, and room for 16 colours, of which a pixel has the third.
    data = bytearray(bmp(40, 4, bytes(64) + b"\x20" + bytes(32 * 40 - 1)))
    data[10:14] = struct.pack("<I", 54 + 64)
    data[46:50] = struct.pack("<I", stated)
    data[54 + 8 : 54 + 12] = bytes([200, 200, 200, 0])
    assert rgb(bytes(data))[39, 0].tolist() == [third] * 3


def test_a_lenient_reader_keeps_the_rows_of_a_cut_bmp() -> None:
    data = encoded("BMP")
    lenient = read(data[: -60 * 3 * 10], is_lenient=True)
    assert lenient.warnings[0].startswith("the BMP is cut short: ")
    assert np.array_equal(lenient.pixels[10:, :, ::-1], NOISE[10:])


def test_bmp_variants_are_refused_by_name() -> None:
    data = bytearray(bmp(108, 24, NOISE.tobytes()))
    data[30] = 4
    assert "JPEG compression" in str(refused(bytes(data)))


def gif(canvas: tuple[int, int], **options: Any) -> bytes:
    grey = np.arange(64 * 48, dtype=np.uint32).reshape(48, 64).astype(np.uint8)
    data = bytearray(encoded("GIF", grey, **options))
    data[6:10] = struct.pack("<HH", *canvas)
    return bytes(data)


def test_of_a_gif_frame_beyond_its_canvas_the_canvas_is_shown() -> None:
    whole = read(gif((64, 48))).pixels
    assert np.array_equal(read(gif((56, 40))).pixels, whole[:40, :56])


def test_a_gif_frame_smaller_than_its_canvas_lies_on_the_background() -> None:
    small = read(gif((80, 60))).pixels
    assert np.array_equal(small[:48, :64], read(gif((64, 48))).pixels)
    assert len(np.unique(small[48:].reshape(-1, 3), axis=0)) == 1


def test_a_gif_frame_is_too_large_before_it_is_allocated() -> None:
    data = bytearray(gif((64, 48)))
    at = data.find(b",\0\0\0\0\x40\0\x30\0")
    data[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert refused(bytes(data)).reason == "too_large"


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_webp_is_turned_with_and_without_the_prefix(prefix: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded("WEBP", lossless=True, exif=exif)
    at = data.find(b"EXIF")
    body = prefix + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = b"EXIF" + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    whole = data[8:at] + chunk
    data = b"RIFF" + struct.pack("<I", len(whole)) + whole
    assert np.array_equal(rgb(data), np.rot90(NOISE, -1))


def test_a_webp_of_any_kind_states_its_size() -> None:
    for options in ({}, {"lossless": True}, {"exif": b"Exif\0\0II"}):
        with pytest.raises(BadInputError, match="60x40"):
            read_picture(encoded("WEBP", **options), max_pixels=100)


PLAIN = b"P3 # a comment\n2 1\n255\n1 2 3\n# another\n4 5 6\n"


@pytest.mark.parametrize(
    ("data", "pixels"),
    [
        (b"P1 4 1\n1 0 0 1", [[0] * 3, [255] * 3, [255] * 3, [0] * 3]),
        (b"P1 4 1\n1001\n", [[0] * 3, [255] * 3, [255] * 3, [0] * 3]),
        (b"P4 4 1\n\x90", [[0] * 3, [255] * 3, [255] * 3, [0] * 3]),
        (b"P2 3 1 15\n0 5 15\n", [[0] * 3, [85] * 3, [255] * 3]),
        (PLAIN, [[1, 2, 3], [4, 5, 6]]),
        (b"P5 2 1 3\n\1\3", [[85] * 3, [255] * 3]),
        (b"P5 2 1 65535\n\x12\x34\xff\x00", [[0x12] * 3, [255] * 3]),
        (b"P5 1 1 1000\n\x01\xf4", [[127] * 3]),
        (b"P6 2 1 255\n\1\2\3\4\5\6", [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_pnm(data: bytes, pixels: list[list[int]]) -> None:
    assert rgb(data).tolist() == [pixels]
    if b"P1" not in data[:2]:
        assert refused(data.rstrip()[:-2]).reason == "truncated"


def test_a_lenient_reader_keeps_the_rows_of_a_cut_pnm() -> None:
    lenient = read(encoded("PPM")[: -60 * 3 * 4], is_lenient=True)
    assert lenient.warnings == ("the PNM is cut short: 6480 of 7200 samples",)
    assert np.array_equal(lenient.pixels[:36, :, ::-1], NOISE[:36])


def test_pnm_nonsense() -> None:
    assert refused(b"P5 1 1 70000\n\0\0").reason == "decode_failed"
    assert refused(b"P2 1 1 255\nabc").reason == "decode_failed"


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}], ids=["container", "codestream"])
def test_jpeg_2000(options: dict[str, Any]) -> None:
    data = encoded("JPEG2000", **options)
    assert np.array_equal(rgb(data), NOISE)
    for share in (0.1, 0.5, 0.95):
        assert refused(data[: int(len(data) * share)]).reason == "truncated"


def test_the_size_of_a_jpeg_2000_is_that_of_its_own_codestream() -> None:
    whole = encoded("JPEG2000")
    small = b"\xff\x4f\xff\x51" + bytes(4) + struct.pack(">4IxxxxxxxxxxxxxxxxHB", 1, 1, 0, 0, 1, 7)
    decoy = struct.pack(">I4s", 8 + len(small), b"free") + small
    header = jpeg2000.inspect(whole[:12] + decoy + whole[12:])
    known = jpeg2000.inspect(whole)
    assert (header.width, header.height) == (known.width, known.height) != (1, 1)
    for broken in (whole[:60], whole.replace(b"jp2c", b"jp2x")):
        with pytest.raises(BadInputError):
            jpeg2000.inspect(broken)


def test_plain_numbers_count_as_memory_however_small_the_picture() -> None:
    many = b"P2 1 1 255\n" + b"1 " * 500_000
    assert netpbm.inspect(many).decode_bytes > 2.5 * len(many)
    tracemalloc.start()
    read_picture(many, max_pixels=10)
    read_picture(b"P1 1 1\n" + b"1 " * 500_000, max_pixels=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.1 * netpbm.inspect(many).decode_bytes


def test_jpeg_2000_of_16_bits_keeps_their_upper_eight() -> None:
    deep = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    for options in ({}, {"no_jp2": True}):
        found = rgb(encoded("JPEG2000", deep, **options))
        assert np.array_equal(found, np.dstack([deep >> 8] * 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = 255
    found = rgb(encoded("AVIF", pixels, quality=95, exif=exif))
    brightest = tuple(int(one) for one in np.unravel_index(found.mean(2).argmax(), found.shape[:2]))
    assert found.shape[:2] == ((40, 60) if orientation < 5 else (60, 40))
    is_low = brightest[0] >= found.shape[0] // 2
    is_right = brightest[1] >= found.shape[1] // 2
    assert (is_low, is_right) == (orientation in {3, 4, 7, 8}, orientation in {2, 3, 6, 7})


def test_cut_avif_is_truncated() -> None:
    data = encoded("AVIF")
    for share in (0.1, 0.5, 0.97):
        assert refused(data[: int(len(data) * share)]).reason == "truncated"


def heic(pixels: np.ndarray, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    pillow_heif.from_pillow(picture).save(buffer, quality=90, exif=exif.tobytes())
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_is_turned(orientation: int) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = (200, 100, 0)
    turned = np.rot90(pixels, {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    found = rgb(heic(pixels, orientation))
    assert found.shape == turned.shape
    assert np.abs(found.astype(int) - turned).mean() < 5


def test_grey_heic_and_cut_heic() -> None:
    data = heic(np.full((40, 60), 90, np.uint8))
    assert np.abs(rgb(data).astype(int) - 90).max() <= 2
    for share in (0.1, 0.5, 0.97):
        assert refused(data[: int(len(data) * share)]).reason == "truncated"


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_what_is_too_large_for_its_decoder_is_no_damage(kind: str) -> None:
    data = bytearray(encoded(kind) if kind == "AVIF" else heic(NOISE))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 40_000, 40_000)
    with pytest.raises(BadInputError) as caught:
        read_picture(bytes(data), max_pixels=2**40)
    assert caught.value.reason == "too_large"
    assert "40000x40000" in str(caught.value)
