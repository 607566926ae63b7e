"""Copies of JPEG files without what a decoder has already complained about, harmlessly.

A decoder tells its first complaint only; whether there is a worse one, a mended copy shows. The
picture of a copy is that of the file, bit for bit.
"""

from vision.read.jpeg.structure import APP0, APP14, SOS, Segment, Structure, end_of_picture

_COMMENT = 0xFE
_JFIF = b"JFIF\0"
_JFIF_MAJOR = 1
_LAST_COEFFICIENT = 63


def with_a_plain_header(data: bytes, structure: Structure) -> bytes:
    """Return the file with nothing in its header that a decoder doesn't need, nor stray bytes.

    The first scan's parameters, which mean nothing in a sequential picture, get their proper
    values there.
    """
    kept = [_plain(data, one, structure) for one in structure.segments if _is_needed(one)]
    return b"".join([data[:2], *kept, data[structure.end :]])


def _is_needed(segment: Segment) -> bool:
    is_application = APP0 <= segment.marker < APP0 + 16
    if is_application:
        return segment.marker in {APP0, APP14}  # these two say what the colours are
    return segment.marker != _COMMENT


def _plain(data: bytes, segment: Segment, structure: Structure) -> bytes:
    head, body = data[segment.start : segment.body], data[segment.body : segment.stop]
    if segment.marker == APP0 and body.startswith(_JFIF):
        body = _JFIF + bytes([_JFIF_MAJOR]) + body[6:]
    if segment.marker == SOS and structure.frame.is_sequential:
        body = body[:-3] + bytes([0, _LAST_COEFFICIENT, 0])
    return head + body


def without_stray_end(data: bytes, structure: Structure, stray: int) -> bytes:
    """Return the file without so many bytes before its end marker."""
    end = end_of_picture(data, structure)
    return data[: end - stray] + data[end:]
