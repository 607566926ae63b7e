"""Looks again at JPEG files about which the decoder has complained."""

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.read.jpeg.complaint import (
    MOST_STRAY_HEADER_BYTES,
    Complaint,
    complaint_of,
    stray_bytes,
)
from vision.read.jpeg.mending import with_a_plain_header, without_stray_end
from vision.read.jpeg.structure import EOI, Structure, end_of_picture, read_structure

Pixels = NDArray[np.uint8]

_LOOKS = 3
_GREY = 128


def look_closer(
    data: bytes, structure: Structure, message: str, *, is_lenient: bool
) -> tuple[Pixels, list[str]]:
    """Return the pixels and warnings of a file about which the decoder has complained.

    Its first complaint hides all others: if it is harmless, a copy that gives no cause for it is
    decoded, and so on.

    Raises:
        BadInputError: `truncated` or `decode_failed`, the file is damaged; a lenient reader accepts
            that if there are pixels.
    """
    in_header = [
        stray_bytes(one.stray, one.marker, most=MOST_STRAY_HEADER_BYTES)
        for one in structure.segments
        if one.stray
    ]
    warnings = [one.words for one in in_header]
    # With stray bytes in the header, they are what the complaint is about.
    about = [one for one in in_header if one.reason] or in_header or [complaint_of(message)]
    worst = about[0]
    if end_of_picture(data, structure) == len(data):
        # What a decoder says of a file that just ends depends on where it ends.
        worst = Complaint("its data ends early", "truncated")
    for _ in range(_LOOKS):
        if worst.reason:
            pixels = _damaged(data, worst, is_lenient=is_lenient)
            return pixels, [*warnings, f"damaged: {worst.words}"]
        warnings.append(worst.words)
        mended = _mended(data, worst)
        if mended == data:
            break
        data = mended
        try:
            return simplejpeg.decode_jpeg(data, "BGR"), warnings
        except ValueError as error:
            worst = complaint_of(str(error))
    return simplejpeg.decode_jpeg(data, "BGR", strict=False), warnings


def _mended(data: bytes, complaint: Complaint) -> bytes:
    copy = with_a_plain_header(data, read_structure(data))
    if complaint.stray and complaint.marker == EOI:
        copy = without_stray_end(copy, read_structure(copy), complaint.stray)
    return copy


def _damaged(data: bytes, complaint: Complaint, *, is_lenient: bool) -> Pixels:
    """Return what can be decoded of a damaged picture; the rest is grey.

    Raises:
        BadInputError: the reader isn't lenient, or there is nothing.
    """
    refusal = BadInputError(
        complaint.reason or "decode_failed", f"the JPEG is damaged: {complaint.words}"
    )
    if not is_lenient:
        raise refusal
    structure = read_structure(data)
    copy = with_a_plain_header(data, structure)
    pixels = np.full((structure.frame.height, structure.frame.width, 3), _GREY, np.uint8)
    try:
        simplejpeg.decode_jpeg(copy, "BGR", strict=False, buffer=pixels)
    except ValueError:
        if (pixels == _GREY).all():
            raise refusal from None
    return pixels
