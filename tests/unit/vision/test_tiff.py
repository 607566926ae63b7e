import io
import resource
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from core.errors import BadInputError
from vision.read.picture import Picture, read_picture
from vision.read.tiff import reader

NOISE = np.random.default_rng(4).integers(0, 256, (48, 64, 3), dtype=np.uint8)


FOUR = NOISE[..., [0, 1, 2, 0]]


def read(data: bytes, *, is_lenient: bool = False) -> Picture:
    return read_picture(data, max_pixels=10**6, is_lenient=is_lenient)


def written(samples: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def tiff(width: int, height: int, bits: int, pixels: bytes, **tags: int) -> bytes:
    """Write a grey TIFF of one strip by hand."""
    values = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    values |= {279: len(pixels)} | {int(name[1:]): value for name, value in tags.items()}
    entries = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(values.items()))
    directory = struct.pack("<H", len(values)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


def refused(data: bytes, *, is_lenient: bool = False) -> BadInputError:
    with pytest.raises(BadInputError) as caught:
        read(data, is_lenient=is_lenient)
    return caught.value


COLOUR = [
    {},
    *({"compression": name} for name in ("zlib", "lzw", "zstd", "lzma", "packbits", "lerc")),
    {"compression": "lzw", "predictor": True},
    {"compression": "zlib", "tile": (16, 32)},
    {"compression": "webp", "compressionargs": {"lossless": True}},
    {"compression": "png"},
    {"bigtiff": True, "byteorder": ">"},
    {"bigtiff": True, "byteorder": "<", "tile": (32, 32)},
    {"rowsperstrip": 5},
    {"tile": (64, 80)},
]


@pytest.mark.parametrize("options", COLOUR, ids=str)
def test_colours_come_out_as_they_went_in(options: dict[str, Any]) -> None:
    data = written(NOISE, photometric="rgb", **options)
    assert np.array_equal(read(data).pixels[..., ::-1], NOISE)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
def test_planes_of_their_own_are_put_together(options: dict[str, Any]) -> None:
    planes = np.moveaxis(NOISE, -1, 0)
    data = written(planes, photometric="rgb", planarconfig="separate", **options)
    assert np.array_equal(read(data).pixels[..., ::-1], NOISE)


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_is_dropped_not_multiplied(extra: str, bits: int) -> None:
    samples = np.full((48, 64, 4), 200, np.uint8)
    samples[..., 3] = 64
    scaled = samples.astype(f"uint{bits}") * (257 if bits == 16 else 1)
    data = written(scaled, photometric="rgb", extrasamples=[extra])
    assert (read(data).pixels == 200).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("is_white_zero", [False, True])
def test_grey_of_few_bits_is_spread(bits: int, *, is_white_zero: bool) -> None:
    packed = np.arange(256, dtype=np.uint8)[: 32 * bits // 8 * 8]
    levels = np.unpackbits(packed).reshape(-1, bits) @ (1 << np.arange(bits)[::-1])
    expected = levels.reshape(8, 32) * 255 // (2**bits - 1)
    data = tiff(32, 8, bits, packed.tobytes(), t262=not is_white_zero)
    found = read(data).pixels[..., 0]
    assert np.array_equal(found, 255 - expected if is_white_zero else expected)


def test_sixteen_bits_keep_their_upper_eight() -> None:
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    data = written(np.dstack([deep, deep.T, deep[::-1]]), photometric="rgb")
    assert np.array_equal(read(data).pixels, np.dstack([deep[::-1], deep.T, deep]) >> 8)


def test_bytes_may_begin_with_their_lower_bits() -> None:
    grey = NOISE[..., 0]
    turned = np.packbits(np.unpackbits(grey, bitorder="little")).tobytes()
    assert (read(tiff(64, 48, 8, turned, t266=2)).pixels == grey[..., None]).all()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_of_0_to_1_are_shares_of_white(kind: type) -> None:
    shares = np.array([[0, 0.25, 0.5], [0.2, 0.6, 0.8]], kind)
    assert np.array_equal(read(written(shares)).pixels[..., 0], [[0, 64, 128], [51, 153, 204]])


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.int32, np.uint32, np.int64])
def test_samples_without_a_white_of_their_own_are_stretched(kind: type) -> None:
    heights = np.array([[100, 200, 300], [400, 500, 1120]], kind)
    stretched = [[0, 25, 50], [75, 100, 255]]
    assert np.array_equal(read(written(heights)).pixels[..., 0], stretched)


def test_three_bands_are_stretched_together() -> None:
    bands = np.zeros((2, 2, 3), np.float32)
    bands[0, 0], bands[1, 1] = (-5, 0, 5), (0, 5, 0)
    assert read(written(bands, photometric="rgb")).pixels[0, 0].tolist() == [255, 128, 0]


def test_what_is_no_number_is_black_and_stretches_nothing() -> None:
    samples = np.array([[np.nan, np.inf, -np.inf], [10, 20, -9999]], np.float32)
    data = written(samples, extratags=[(42113, "s", 0, "-9999", True)])
    assert np.array_equal(read(data).pixels[..., 0], [[0, 0, 0], [0, 255, 0]])
    assert not read(written(np.full((4, 4), np.nan, np.float32))).pixels.any()


def test_extreme_floats_do_not_overflow() -> None:
    samples = np.array([[-1.7e308, 0, 1.7e308]], np.float64)
    assert read(written(samples)).pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("options", [{}, {"tile": (16, 32)}], ids=str)
@pytest.mark.parametrize("extra", [[], ["unassalpha"]])
def test_inks_come_out_alike_however_they_are_packed(
    options: dict[str, Any], extra: list[str]
) -> None:
    inks = np.dstack([FOUR, NOISE])[..., : 4 + len(extra)]
    plain = read(written(inks, photometric="separated", extrasamples=extra)).pixels
    packed = written(
        inks, photometric="separated", extrasamples=extra, compression="lzw", **options
    )
    assert np.array_equal(read(packed).pixels, plain)


def test_an_old_tag_that_says_nothing_of_the_samples_does_not_matter() -> None:
    data_type = (32996, 3, 3, (0, 0, 0), True)
    data = written(NOISE, photometric="rgb", compression="lzw", extratags=[data_type])
    assert np.array_equal(read(data).pixels[..., ::-1], NOISE)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("photometric", "offset"), [("cielab", 0), ("icclab", 128)])
def test_cielab_has_the_colours_that_it_states(photometric: str, offset: int, bits: int) -> None:
    # sRGB's red is L 53.2, a 80.1, b 67.2; mid grey is L 53.6.
    samples = np.array([[[136, 80 + offset, 67 + offset], [137, offset, offset]]], f"uint{bits}")
    data = written(samples << (bits - 8), photometric=photometric)
    red, grey = read(data).pixels[0, :, ::-1].astype(int)
    assert np.abs(red - [255, 0, 0]).max() <= 4
    assert np.abs(grey - 128).max() <= 2


def test_what_only_libtiff_reads_is_read() -> None:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).convert("LAB").save(buffer, "TIFF")
    assert np.abs(read(buffer.getvalue()).pixels[..., ::-1].astype(int) - NOISE).mean() < 40
    buffer = io.BytesIO()
    grey = Image.new("RGB", (64, 48), (90, 90, 90))
    grey.convert("YCbCr").save(buffer, "TIFF", compression="tiff_lzw")
    assert np.abs(read(buffer.getvalue()).pixels.astype(int) - 90).max() <= 1


@pytest.mark.parametrize("subsampling", [0, 2])
def test_strips_of_jpeg_are_what_pillow_reads(subsampling: int) -> None:
    buffer = io.BytesIO()
    picture = Image.fromarray(NOISE).resize((96, 200))
    picture.save(buffer, "TIFF", compression="jpeg", tiffinfo={530: (1 + subsampling // 2,) * 2})
    expected = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    found = read(buffer.getvalue()).pixels[..., ::-1]
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_jpeg_strip_with_a_hole_is_damage() -> None:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).resize((400, 300)).save(buffer, "TIFF", compression="jpeg")
    data = bytearray(buffer.getvalue())
    page = tifffile.TiffFile(io.BytesIO(data)).pages.first
    at, size = page.dataoffsets[0], page.databytecounts[0]
    data[at + size // 2 : at + size - 2] = bytes(size - 2 - size // 2)
    assert refused(bytes(data)).reason in {"truncated", "decode_failed"}
    lenient = read(bytes(data), is_lenient=True)
    assert lenient.warnings
    assert lenient.pixels.shape == (300, 400, 3)


@pytest.mark.parametrize("options", COLOUR[:5] + COLOUR[11:13], ids=str)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.97])
def test_cut_ones_are_truncated(options: dict[str, Any], share: float) -> None:
    data = written(NOISE, photometric="rgb", **options)
    assert refused(data[: int(len(data) * share)]).reason == "truncated"


def test_a_lenient_reader_keeps_the_strips_that_are_there() -> None:
    data = written(NOISE, photometric="rgb", compression="zlib", rowsperstrip=8)
    cut = read(data[: len(data) // 2], is_lenient=True)
    assert cut.warnings[0].startswith("the TIFF is cut short: ")
    assert np.array_equal(cut.pixels[:16, :, ::-1], NOISE[:16])
    assert not cut.pixels[-8:].any()


def test_damaged_strips_are_refused_or_counted() -> None:
    data = bytearray(written(NOISE, photometric="rgb", compression="zlib", rowsperstrip=8))
    page = tifffile.TiffFile(io.BytesIO(data)).pages.first
    data[page.dataoffsets[2] + 5 : page.dataoffsets[2] + 50] = bytes(45)
    assert refused(bytes(data)).reason == "decode_failed"
    lenient = read(bytes(data), is_lenient=True)
    assert lenient.warnings == ("1 of the TIFF's strips or tiles are damaged",)
    assert np.array_equal(lenient.pixels[24:, :, ::-1], NOISE[24:])


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (tiff(8, 8, 8, bytes(64), t259=50002), "JPEG XL compression"),
        (tiff(8, 8, 8, bytes(64), t262=32803), "CFA colours"),
        (tiff(8, 8, 64, bytes(512), t339=6), "samples of 64 bits"),
        (written(FOUR, photometric="separated", extratags=[(332, "H", 1, 2, True)]), "inks"),
    ],
    ids=["compression", "colours", "samples", "inks"],
)
def test_variants_are_refused_by_name(data: bytes, name: str) -> None:
    error = refused(data)
    assert error.reason == "not_supported"
    assert name in str(error)


@pytest.mark.parametrize(
    "data",
    [
        tiff(1000, 1000, 8, bytes(64), t322=60_000, t323=60_000, t324=8, t325=64, t259=8),
        tiff(1000, 1000, 8, bytes(64), t277=20_000),
        tiff(8, 8, 8, b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0\xff\xd9", t259=7),
        tiff(8, 8, 8, b"Lerc2 " + struct.pack("<iIii", 4, 0, 1 << 16, 1 << 16), t259=34887),
    ],
    ids=["tiles", "samples", "JPEG", "LERC"],
)
def test_what_a_small_file_states_is_not_allocated(data: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(data)
    refused(data, is_lenient=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_of_very_many_samples_only_those_that_count_are_kept() -> None:
    bands = np.random.default_rng(2).integers(0, 256, (20, 30, 100), np.uint8)
    data = written(bands, compression="lzw", photometric="minisblack", planarconfig="contig")
    assert np.array_equal(read_picture(data, max_pixels=10**4).pixels[..., 0], bands[..., 0])
    assert reader.inspect(data).decode_bytes > bands.size


def test_a_tag_of_very_many_numbers_is_refused_before_they_are_read() -> None:
    data = tiff(4, 4, 8, bytes(16), t273=8)
    strips = struct.pack("<HHII", 273, 4, 1, 8)
    assert strips in data
    many = data.replace(strips, struct.pack("<HHII", 273, 4, (1 << 20) + 1, 0))
    assert refused(many + bytes(4 << 20)).reason == "not_supported"
