"""Unpacks the strips and tiles of TIFFs that are JPEGs, as strictly as JPEG files are read.

See TIFF Technical Note 2: tables that all of them share stand in a tag, and the TIFF says what
their colours are, whatever the JPEGs say.
"""

import struct

from core.errors import BadInputError
from vision.read.decoded import Decoded
from vision.read.jpeg import reader as jpeg

_START, _MARKER_BYTES = b"\xff\xd8", 2
_GREY_OR_COLOUR = {1, 3}
_SPARE = 1 << 16


def whole_jpeg(strip: bytes, tables: bytes | None, *, is_ycbcr: bool) -> bytes:
    """Return a strip or tile as a JPEG file that can be read alone."""
    # Adobe's marker, see ITU-T T.872, 6.5.3: decoders believe what it says of colours.
    colours = struct.pack(">HH5sHHHB", 0xFFEE, 14, b"Adobe", 100, 0, 0, is_ycbcr)
    shared = (tables or b"")[_MARKER_BYTES:-_MARKER_BYTES]
    return b"".join((_START, colours, shared, strip[_MARKER_BYTES:]))


def unpack(whole: bytes, place: int, *, is_lenient: bool) -> Decoded | None:
    """Return the pixels, blue first; None if there are not 1 or 3 samples of 8 bits.

    Raises:
        BadInputError: as `vision.read.jpeg.reader` does, or the JPEG is larger than its `place`.
    """
    try:
        header = jpeg.inspect(whole)
    except BadInputError as error:
        if error.reason == "not_supported":
            return None
        raise
    # Encoders round up to whole blocks, and some write a whole strip where the last one is less.
    if header.width * header.height > 2 * place + _SPARE:
        words = f"a strip or tile states {header.width}x{header.height} pixels"
        raise BadInputError("decode_failed", words)
    if len(header.structure.frame.components) not in _GREY_OR_COLOUR:
        return None
    return jpeg.decode(whole, header, is_lenient=is_lenient)
