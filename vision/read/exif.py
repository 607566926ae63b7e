"""Reads the one thing that a picture's EXIF data is needed for: how it is turned upright."""

import struct

_ORIENTATION = 0x0112
_SHORT = 3
_LONG = 4
_LEAST, _MOST = 1, 8


def orientation_of(tiff: bytes) -> int:
    """Return the orientation, 1 to 8, that EXIF data gives; 1 if it gives none that is valid.

    `tiff` begins with its byte order, `II` or `MM`: see the EXIF specification 2.32, 4.5.2 and
    4.6.4, tag 0x0112.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return _LEAST
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, at)
        for number in range(count):
            entry = at + 2 + 12 * number
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == _ORIENTATION and kind in {_SHORT, _LONG}:
                form = "H" if kind == _SHORT else "I"
                (value,) = struct.unpack_from(order + form, tiff, entry + 8)
                return int(value) if _LEAST <= value <= _MOST else _LEAST
    except struct.error:
        pass  # cut short, or nonsense: a picture is shown as stored then
    return _LEAST
