"""Makes broken picture files, of which every real dataset has a few."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

_ERROR_PAGE = b"<!doctype html><title>403 Forbidden</title><p>The link has expired.</p>\n"
_HUGE = 60_000
"""Pixels per side; a decoder that believed the header would ask for ten gigabytes."""


@dataclass(frozen=True, slots=True)
class Breakage:
    """A way to spoil an encoded picture.

    `spoil` breaks an intact picture in the format of `suffix`; `reason` is the code with which the
    result must be quarantined.
    """

    suffix: str
    reason: str
    spoil: Callable[[bytes], bytes]


def _without_bytes(_: bytes) -> bytes:
    return b""


def _cut(whole: bytes) -> bytes:
    return whole[: len(whole) * 2 // 3]


def _as_error_page(_: bytes) -> bytes:
    return _ERROR_PAGE


def _overwritten(whole: bytes) -> bytes:
    """Overwrite a PNG's first strip of pixels, so that no checksum matches."""
    start = whole.index(b"IDAT") + 4
    return whole[:start] + bytes(64) + whole[start + 64 :]


def _with_huge_header(_: bytes) -> bytes:
    """Return a PNG of a few bytes whose header promises billions of pixels."""
    header = struct.pack(">IIBBBBB", _HUGE, _HUGE, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


BREAKAGES = (
    Breakage(".jpg", "truncated", _cut),
    Breakage(".png", "empty", _without_bytes),
    Breakage(".jpg", "not_an_image", _as_error_page),
    Breakage(".png", "decode_failed", _overwritten),
    Breakage(".png", "too_large", _with_huge_header),
    Breakage(".webp", "truncated", _cut),
)
