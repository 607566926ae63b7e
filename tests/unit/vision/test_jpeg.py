import io
import re
import struct
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image

from core.errors import BadInputError
from vision.read.jpeg.complaint import MOST_STRAY_BYTES, MOST_STRAY_HEADER_BYTES
from vision.read.jpeg.reader import MOST_SCANS
from vision.read.picture import read_picture

LIMIT = 10**7
END = b"\xff\xd9"
DAMAGED = {"truncated", "decode_failed"}


def photo(width: int = 160, height: int = 120) -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 3))


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or photo()).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def written_by_cv2(*parameters: int) -> bytes:
    _, data = cv2.imencode(".jpg", np.asarray(photo()), list(parameters))
    return bytes(data)


def official(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels


def refused(data: bytes) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        read_picture(data, max_pixels=LIMIT)
    return caught.value


def first_scan(data: bytes) -> int:
    """Where the first scan's header begins."""
    return data.index(b"\xff\xda")


def sampled(data: bytes, *factors: int) -> bytes:
    """The same data with other sampling factors in the frame header."""
    at = data.index(b"\xff\xc0")
    changed = bytearray(data)
    for number, factor in enumerate(factors):
        changed[at + 11 + 3 * number] = factor
    return bytes(changed)


SUBSAMPLING = cv2.IMWRITE_JPEG_SAMPLING_FACTOR
RESTART = cv2.IMWRITE_JPEG_RST_INTERVAL
SOUND = {
    "grey": jpeg(photo().convert("L")),
    "cmyk": jpeg(photo().convert("CMYK")),
    "progressive": jpeg(progressive=True),
    "progressive cmyk": jpeg(photo().convert("CMYK"), progressive=True),
    "rgb": jpeg(keep_rgb=True),
    "4:4:4": jpeg(subsampling=0),
    "4:2:2": jpeg(subsampling=1),
    "4:1:1": written_by_cv2(SUBSAMPLING, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "4:4:0": written_by_cv2(SUBSAMPLING, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "restarts": written_by_cv2(RESTART, 3),
    "odd size": jpeg(photo(163, 121)),
    "one pixel": jpeg(photo(1, 1)),
    "a comment": jpeg(comment="by hand", icc_profile=b"no profile", exif=b"Exif\0\0II*\0"),
}


@pytest.mark.parametrize("kind", sorted(SOUND))
def test_sound_ones_are_what_the_official_tools_read(kind: str) -> None:
    picture = read_picture(SOUND[kind], max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, official(SOUND[kind]))
    assert picture.warnings == ()


def test_a_second_picture_behind_the_first_does_not_matter() -> None:
    buffer = io.BytesIO()
    photo().save(buffer, "MPO", save_all=True, append_images=[photo(80, 60)])
    picture = read_picture(buffer.getvalue(), max_pixels=LIMIT)
    assert picture.pixels.shape == (120, 160, 3)
    assert picture.warnings == ()


def test_colours_sampled_in_a_rare_way_are_read_with_a_warning() -> None:
    data = sampled(jpeg(photo(16, 16), subsampling=2), 0x22, 0x11, 0x21)  # one block is missing
    picture = read_picture(data, max_pixels=LIMIT, is_lenient=True)
    assert picture.pixels.shape == (16, 16, 3)
    assert "rare" in picture.warnings[0]


def test_a_rare_sampling_has_the_bits_that_the_official_tools_read() -> None:
    data = sampled(jpeg(photo(16, 8), subsampling=1), 0x41, 0x11, 0x21)
    picture = read_picture(data, max_pixels=LIMIT, is_lenient=True)
    assert np.array_equal(picture.pixels, official(data))


def test_lossless_grey_is_read() -> None:
    grey = np.random.default_rng(6).integers(0, 256, (48, 64), dtype=np.uint8)
    data = imagecodecs.jpeg8_encode(grey, lossless=True, predictor=1)
    picture = read_picture(data, max_pixels=LIMIT)
    assert (picture.pixels == grey[..., None]).all()
    assert refused(data[:-900]).reason == "truncated"


CUTS = {
    "an end marker": END,
    "a second picture": jpeg(photo(80, 60)),
    "restart markers": b"\xff\xd0\xff\xd1\xff\xd2" + END,
    "nothing": b"",
}


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("behind", sorted(CUTS))
@pytest.mark.parametrize("share", [0.4, 0.75])
def test_data_that_ends_early_is_damage(share: float, behind: str, *, progressive: bool) -> None:
    data = jpeg(progressive=progressive)
    error = refused(data[: int(len(data) * share)] + CUTS[behind])
    assert error.reason in DAMAGED
    if behind == "nothing":
        assert error.reason == "truncated"


def with_a_hole(data: bytes) -> bytes:
    at = (first_scan(data) + len(data)) // 2
    return data[:at] + bytes(300) + data[at + 300 :]


def test_a_hole_of_zeros_is_damage() -> None:
    assert refused(with_a_hole(jpeg())).reason in DAMAGED


def test_a_lenient_reader_takes_what_there_is() -> None:
    data = jpeg(photo(), quality=90)
    whole = read_picture(data, max_pixels=LIMIT).pixels
    picture = read_picture(data[: len(data) // 2], max_pixels=LIMIT, is_lenient=True)
    assert picture.warnings == ("damaged: its data ends early",)
    assert np.array_equal(picture.pixels[:16], whole[:16])
    assert not np.array_equal(picture.pixels, whole)


@pytest.mark.parametrize("behind", [END, jpeg(photo(80, 60)), b"\xff\x02" + END])
def test_what_a_lenient_reader_cannot_decode_is_grey(behind: bytes) -> None:
    data = jpeg()
    cut = data[: len(data) // 2] + behind
    picture = read_picture(cut, max_pixels=LIMIT, is_lenient=True)
    assert picture.pixels.shape == (120, 160, 3)
    assert [words[:8] for words in picture.warnings] == ["damaged:"]
    assert picture.pixels[-1].std(axis=0).max() == 0


def test_a_lenient_reader_still_needs_pixels() -> None:
    data = jpeg()
    tables = data.index(b"\xff\xc4")
    broken = data[: tables + 5] + b"\xff" * 16 + data[tables + 21 :]
    with pytest.raises(BadInputError) as caught:
        read_picture(broken, max_pixels=LIMIT, is_lenient=True)
    assert caught.value.reason == "decode_failed"


def stray_at_end(count: int) -> bytes:
    return jpeg()[:-2] + bytes(count) + END


def stray_in_header(count: int) -> bytes:
    data = jpeg(comment="a comment that no decoder needs")
    at = data.index(b"\xff\xdb")
    return data[:at] + bytes(count) + data[at:]


def test_a_few_stray_bytes_after_the_data_are_a_warning_of_a_sound_picture() -> None:
    # The decoder has read up to eight bytes ahead, and doesn't count those.
    picture = read_picture(stray_at_end(10), max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, official(jpeg()))
    [words] = picture.warnings
    assert re.fullmatch(r"\d stray bytes before the end marker", words)


def test_a_few_stray_bytes_in_the_header_are_a_warning_too() -> None:
    picture = read_picture(stray_in_header(MOST_STRAY_HEADER_BYTES), max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, official(jpeg()))
    assert picture.warnings == (f"{MOST_STRAY_HEADER_BYTES} stray bytes before marker 0xdb",)


def test_more_stray_bytes_are_damage() -> None:
    assert refused(stray_at_end(MOST_STRAY_BYTES + 9)).reason == "decode_failed"
    assert refused(stray_in_header(MOST_STRAY_HEADER_BYTES + 1)).reason == "decode_failed"


@pytest.mark.parametrize("harmless", ["stray", "profile", "parameters", "version"])
def test_a_harmless_complaint_hides_no_damage(harmless: str) -> None:
    def odd(data: bytes) -> bytes:
        if harmless == "stray":
            return data[:20] + b"\0\0" + data[20:]
        if harmless == "profile":
            return data[:20] + b"\xff\xe2\0\x10ICC_PROFILE\0\x00\x02" + data[20:]
        if harmless == "parameters":  # which mean nothing in a sequential picture
            at = first_scan(data) + 11
            return data[:at] + b"\0\0\0" + data[at + 3 :]
        return data[:11] + b"\xff" + data[12:]

    picture = read_picture(odd(jpeg()), max_pixels=LIMIT)
    assert np.array_equal(picture.pixels, official(jpeg()))
    assert len(picture.warnings) == 1
    assert refused(odd(with_a_hole(jpeg()))).reason in DAMAGED
    assert refused(odd(jpeg()[:-200] + END)).reason == "truncated"


def scans(data: bytes) -> list[int]:
    """Where the scans' headers begin, in a file without a thumbnail."""
    found = [first_scan(data)]
    while (at := data.find(b"\xff\xda", found[-1] + 1)) > 0:
        found.append(at)
    return found


def test_a_flood_of_scans_is_refused_before_it_is_decoded() -> None:
    data = jpeg(photo().convert("L"), progressive=True)
    last = scans(data)[-1]
    flood = data[:-2] + data[last:-2] * MOST_SCANS + END
    assert str(refused(flood)) == f"the JPEG has more than {MOST_SCANS} scans"


@pytest.mark.parametrize("where", ["header", "scans"])
def test_a_flood_of_markers_is_refused(where: str) -> None:
    data = jpeg(progressive=True)
    at = first_scan(data) if where == "header" else scans(data)[1]
    assert "markers" in str(refused(data[:at] + b"\xff\xfe\0\2" * 30_000 + data[at:]))


def test_a_progressive_picture_without_its_last_scans_has_a_warning() -> None:
    data = jpeg(progressive=True)
    short = data[: scans(data)[4]] + END
    picture = read_picture(short, max_pixels=LIMIT)
    assert picture.warnings == ("it ends before its last scan: details are missing",)
    assert np.array_equal(picture.pixels, official(short))


@pytest.mark.parametrize(
    ("marker", "precision", "name"),
    [
        (0xC1, 12, "a 12-bit JPEG"),
        (0xC3, 12, "a lossless JPEG"),
        (0xC5, 8, "a hierarchical JPEG"),
        (0xF7, 8, "JPEG-LS"),
    ],
)
def test_what_is_not_read_has_a_name(marker: int, precision: int, name: str) -> None:
    frame = struct.pack(">BBHBHHB", 0xFF, marker, 11, precision, 8, 8, 1) + b"\1\x11\0"
    data = b"\xff\xd8" + frame + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(9) + END
    error = refused(data)
    assert (error.reason, str(error)) == ("not_supported", f"this is {name}, which is not read")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xd8\xff\xe0", "truncated"),
        (b"\xff\xd8\xff\xd9", "decode_failed"),
        (b"\xff\xd8\xff\xe0\0\0\0\0" + END, "decode_failed"),
        (b"\xff\xd8\xff\xda\0\x08\1\1\0\0\x3f\0" + END, "decode_failed"),
        (jpeg()[:300], "truncated"),
    ],
)
def test_headers_that_make_no_sense(data: bytes, reason: str) -> None:
    assert refused(data).reason == reason
