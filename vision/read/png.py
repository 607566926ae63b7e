"""Reads PNG.

The chunks are walked here, so that what a chunk states is checked against the file before anything
is allocated, and texts and colour profiles are never unpacked. OpenCV's decoder (libpng) then gets
the chunks that pixels are made of, and no others. It is strict: a wrong checksum or an incomplete
stream is refused.

See the PNG specification, third edition: https://www.w3.org/TR/png-3/.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.exif import orientation_of
from vision.read.opencv import decode_or_none

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE_COLOURS = 3
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_TEXT_CHUNKS = {b"tEXt", b"zTXt", b"iTXt"}
_IHDR_BYTES = 13
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_FILTERS = 5
# The passes of an interlaced picture: the first column and row, and the steps to the next ones.
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)

# ImageMagick's text for EXIF: a name, the number of bytes, then the bytes as hexadecimal digits.
_RAW_EXIF = re.compile(rb"Raw profile type (?:exif|APP1)\0")
_RAW_PROFILE = re.compile(rb"\s*(?:exif|APP1|generic profile)\s+\d+\s+([0-9A-Fa-f\s]+)")
_MOST_EXIF_TEXT = 1 << 18  # EXIF is 64 kB at most, and twice as many digits


# Each takes memory of its own, though it may be empty. Usual ones have 8 kB and more.
_MOST_CHUNKS, _LEAST_MEAN_BYTES = 20_000, 2048


@dataclass(frozen=True, slots=True)
class PngHeader(Header):
    """`bits` are those of a pixel; an interlaced picture has seven passes.

    `needed` are the chunks that its pixels are made of. Others, even a palette that is only a
    proposal, make libpng complain to the process's stderr, where nobody knows about which file.
    `stored` is the file's size.
    """

    bits: int
    is_interlaced: bool
    needed: frozenset[bytes]
    stored: int

    @property
    def decode_bytes(self) -> int:
        """See `Header`; the chunks that are needed are put together anew."""
        return 2 * self.picture_bytes + self.stored


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    body: memoryview
    whole: memoryview


def inspect(data: bytes) -> PngHeader:
    """See `vision.read.decoded.Reader`."""
    at = len(_SIGNATURE)
    if len(data) < at + 8 + _IHDR_BYTES:
        raise BadInputError("truncated", "the PNG ends within its header")
    if data[at + 4 : at + 8] == b"CgBI":
        raise BadInputError("not_supported", "this is a PNG in Apple's own variant (CgBI)")
    if data[at : at + 8] != struct.pack(">I4s", _IHDR_BYTES, b"IHDR"):
        raise BadInputError("decode_failed", "the PNG does not begin with its header")
    width, height, depth, colour, compression, filtering, interlacing = struct.unpack_from(
        ">IIBBBBB", data, at + 8
    )
    if not (width and height) or depth not in _DEPTHS.get(colour, ()):
        raise BadInputError("decode_failed", "the PNG's header is nonsense")
    if compression or filtering or interlacing > 1:
        raise BadInputError("not_supported", "this is a PNG with an unknown compression")
    bits = depth * _SAMPLES[colour]
    needed = _PIXEL_CHUNKS if colour == _PALETTE_COLOURS else _PIXEL_CHUNKS - {b"PLTE"}
    return PngHeader(
        formats.PNG,
        width,
        height,
        bits,
        is_interlaced=bool(interlacing),
        needed=needed,
        stored=len(data),
    )


def decode(data: bytes, header: PngHeader, *, is_lenient: bool) -> Decoded:
    """See `vision.read.decoded.Reader`."""
    chunks, is_whole = _chunks(data)
    orientation = _orientation(chunks)
    if is_whole:
        kept = (chunk.whole for chunk in chunks if chunk.kind in header.needed)
        pixels = decode_or_none(b"".join((_SIGNATURE, *kept, _END)))
        if pixels is not None:
            return Decoded(pixels, orientation)
    reason, what = _damage(chunks, header, is_whole=is_whole)
    if is_lenient:
        pixels = decode_or_none(_repaired(chunks, header))
        if pixels is not None:
            return Decoded(pixels, orientation, (what,))
    raise BadInputError(reason, what)


def _chunks(data: bytes) -> tuple[list[_Chunk], bool]:
    """Return the chunks up to the end marker, and whether the file holds all of them."""
    view = memoryview(data)
    chunks: list[_Chunk] = []
    at = len(_SIGNATURE)
    most = _MOST_CHUNKS + len(data) // _LEAST_MEAN_BYTES
    while at + 8 <= len(data):
        if len(chunks) > most:
            raise BadInputError("decode_failed", f"the PNG has more than {most:,} chunks")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind == b"IEND":
            return chunks, True
        if end > len(data):
            if kind in _PIXEL_CHUNKS:
                chunks.append(_Chunk(kind, view[at + 8 :], view[at:]))
            break
        chunks.append(_Chunk(kind, view[at + 8 : end - 4], view[at:end]))
        at = end
    return chunks, False


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _damage(chunks: list[_Chunk], header: PngHeader, *, is_whole: bool) -> tuple[str, str]:
    """Return the reason and the words for a PNG that was not read."""
    if not is_whole:
        return "truncated", "the PNG is cut short"
    if any(
        zlib.crc32(chunk.whole[4:-4]) != int.from_bytes(chunk.whole[-4:], "big")
        for chunk in chunks
        if chunk.kind in header.needed
    ):
        return "decode_failed", "the PNG is damaged: a checksum is wrong"
    stream, error = _inflated(chunks, header)
    if error is None and len(stream) < sum(size for _, size in _rows(header)):
        return "truncated", "the PNG's pixels end too early"
    return "decode_failed", f"the PNG is damaged: {error or 'its pixels are nonsense'}"


def _inflated(chunks: list[_Chunk], header: PngHeader) -> tuple[bytearray, str | None]:
    """Return the unpacked stream as far as it goes, and what stopped it."""
    limit = sum(size for _, size in _rows(header))
    stream = bytearray()
    unpacker = zlib.decompressobj()
    try:
        for chunk in chunks:
            if chunk.kind != b"IDAT":
                continue
            # In small pieces, so that what comes before the damage is kept.
            for at in range(0, len(chunk.body), 4096):
                if len(stream) < limit:
                    stream += unpacker.decompress(chunk.body[at : at + 4096], limit - len(stream))
    except zlib.error as error:
        return stream, str(error)
    return stream, None


def _rows(header: PngHeader) -> Iterator[tuple[int, int]]:
    """Yield for every pass the bytes of a row, its filter's included, and of all its rows."""
    passes = _ADAM7 if header.is_interlaced else ((0, 0, 1, 1),)
    for left, top, step_x, step_y in passes:
        width = -(-(header.width - left) // step_x)
        height = -(-(header.height - top) // step_y)
        if width > 0 and height > 0:
            row = 1 + -(-width * header.bits // 8)
            yield row, row * height


def _repaired(chunks: list[_Chunk], header: PngHeader) -> bytes:
    """Return a sound PNG of what can be unpacked; what is missing is zeros."""
    stream, _ = _inflated(chunks, header)
    at = 0
    for row, size in _rows(header):
        stream += bytes(max(0, at + size - len(stream)))
        for start in range(at, at + size, row):
            if stream[start] >= _FILTERS:
                stream[start] = 0
        at += size
    kept = [
        _chunk(chunk.kind, bytes(chunk.body))
        for chunk in chunks
        if chunk.kind in header.needed - {b"IDAT"}
    ]
    packed = _chunk(b"IDAT", zlib.compress(stream, 1))
    return b"".join((_SIGNATURE, *kept, packed, _END))


def _orientation(chunks: list[_Chunk]) -> int:
    """Return EXIF's orientation, from the chunk for it or else from ImageMagick's text."""
    texts = []
    for chunk in chunks:
        if chunk.kind == b"eXIf":
            return orientation_of(bytes(chunk.body).removeprefix(b"Exif\0\0"))
        if chunk.kind in _TEXT_CHUNKS and _RAW_EXIF.match(chunk.body):
            texts.append(chunk)
    for chunk in texts:
        profile = _RAW_PROFILE.match(_text(chunk))
        if profile is not None:
            digits = b"".join(profile[1].split())
            exif = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
            return orientation_of(exif.removeprefix(b"Exif\0\0"))
    return 1


def _text(chunk: _Chunk) -> bytes:
    """Return the text of a chunk, no more of it than EXIF can take."""
    _, _, body = bytes(chunk.body[: 2 * _MOST_EXIF_TEXT]).partition(b"\0")
    is_packed = chunk.kind == b"zTXt"
    if chunk.kind == b"zTXt":
        body = body[1:]  # the method
    if chunk.kind == b"iTXt":
        is_packed = body[:1] == b"\1"
        _, _, body = body[2:].partition(b"\0")  # the language
        _, _, body = body.partition(b"\0")  # the translated keyword
    if not is_packed:
        return body
    try:
        return zlib.decompressobj().decompress(body, _MOST_EXIF_TEXT)
    except zlib.error:
        return b""
