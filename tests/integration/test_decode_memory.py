"""Decoding takes no more memory than is held for it, whatever the format."""

import ctypes
import io
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image

from benchmarks.worker_memory import forget_peak, peak
from vision.read.picture import read_picture

SMALL_WH, LARGE_WH = (80, 60), (2400, 1800)
SPARE = 16 << 20  # what codecs take whatever the size

TIFFS: Mapping[str, tuple[int, dict[str, Any]]] = {  # samples of a pixel, and how they are written
    "8 bits": (3, {"photometric": "rgb"}),
    "8 bits, packed": (3, {"photometric": "rgb", "compression": "zlib"}),
    "16 bits": (3, {"photometric": "rgb"}),
    "16 bits, packed": (3, {"photometric": "rgb", "compression": "zlib"}),
    "CMYK, packed": (4, {"photometric": "separated", "compression": "zlib"}),
}
SAVED: Mapping[str, tuple[str, dict[str, Any]]] = {  # Pillow's mode, and how it saves
    "JPEG": ("RGB", {"format": "JPEG"}),
    "JPEG, progressive": ("RGB", {"format": "JPEG", "progressive": True, "subsampling": 0}),
    "JPEG, CMYK": ("CMYK", {"format": "JPEG"}),
    "PNG": ("RGB", {"format": "PNG", "compress_level": 1}),
    "PNG, palette": ("P", {"format": "PNG", "compress_level": 1}),
    "PNG, alpha": ("RGBA", {"format": "PNG", "compress_level": 1}),
    "WebP": ("RGB", {"format": "WEBP", "method": 0}),
    "WebP, alpha": ("RGBA", {"format": "WEBP", "method": 0}),
    "WebP, lossless": ("RGB", {"format": "WEBP", "method": 0, "lossless": True}),
    "BMP": ("RGB", {"format": "BMP"}),
    "BMP, alpha": ("RGBA", {"format": "BMP"}),
    "BMP, palette": ("P", {"format": "BMP"}),
    "GIF": ("P", {"format": "GIF"}),
    "TIFF, one bit": ("1", {"format": "TIFF", "compression": "group4"}),
    "TIFF, palette": ("P", {"format": "TIFF", "compression": "tiff_deflate"}),
    "TIFF, LZW": ("RGB", {"format": "TIFF", "compression": "tiff_lzw"}),
    "TIFF, JPEG": ("RGB", {"format": "TIFF", "compression": "jpeg"}),
    "TIFF, Lab": ("LAB", {"format": "TIFF"}),
    "AVIF": ("RGB", {"format": "AVIF", "speed": 10}),
    "AVIF, alpha": ("RGBA", {"format": "AVIF", "speed": 10}),
    "JPEG 2000": ("RGB", {"format": "JPEG2000"}),
    "PPM": ("RGB", {"format": "PPM"}),
    "PGM": ("L", {"format": "PPM"}),
    "PBM": ("1", {"format": "PPM"}),
}


def files(size_wh: tuple[int, int]) -> Mapping[str, bytes]:
    """Return a picture in every format and way."""
    coarse = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    pixels = np.asarray(cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC), np.uint8)
    image = Image.fromarray(pixels)
    modes = {mode: image.convert(mode) for mode in ("RGB", "CMYK", "P", "L", "1", "LAB", "RGBA")}
    modes["RGBA"].putalpha(128)
    made = {}
    for name, (mode, how) in SAVED.items():
        file = io.BytesIO()
        modes[mode].save(file, **how)
        made[name] = file.getvalue()
    deep = pixels.astype(np.uint16) * 257
    for name, (count, how) in TIFFS.items():
        samples = deep if "16" in name else pixels
        file = io.BytesIO()
        tifffile.imwrite(file, samples if count == 3 else np.dstack([samples] * 2)[..., :4], **how)
        made[f"TIFF, {name}"] = file.getvalue()
    for kind in ("png", "tiff", "ppm"):
        made[f"{kind} of 16 bits by OpenCV"] = cv2.imencode(f".{kind}", deep)[1].tobytes()
    numbers = b"\n".join(b"%d" % value for value in pixels.reshape(-1))
    made["PPM, plain"] = b"P3 %d %d 255\n" % size_wh + numbers
    heif = io.BytesIO()
    pillow_heif.from_pillow(image).save(heif)
    made["HEIC"] = heif.getvalue()
    return made


def measured() -> Mapping[str, tuple[int, int]]:
    """Return how many bytes each is said to take, and how many it takes."""
    small, large = files(SMALL_WH), files(LARGE_WH)
    trim = ctypes.CDLL(None).malloc_trim
    found = {}
    for name, data in large.items():
        said: list[int] = []
        read_picture(small[name], max_pixels=10**8)
        trim(0)
        forget_peak()
        before = peak()
        read_picture(data, max_pixels=10**8, begin=lambda one: said.append(one.decode_bytes))  # noqa: B023
        found[name] = said[0], peak() - before
    return found


@pytest.mark.proof
def test_decoding_takes_no_more_than_is_held_for_it() -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        found = process.submit(measured).result()
    assert {name: pair for name, pair in found.items() if pair[1] > pair[0] + SPARE} == {}
    pixels = LARGE_WH[0] * LARGE_WH[1]
    assert {name: taken for name, (_, taken) in found.items() if taken < 2 * pixels} == {}
