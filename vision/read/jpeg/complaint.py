"""What libjpeg's warnings and errors mean for a picture."""

import re
from dataclasses import dataclass

MOST_STRAY_BYTES = 8
"""Up to so many stray bytes within or after a scan are a sound picture's: a word of padding.

More are what remains when a decoder has lost its place: a hole of zeros in the data, for one.
"""

MOST_STRAY_HEADER_BYTES = 32
"""Up to so many stray bytes before a marker of the header are a sound picture's.

They touch no pixel, unless they are the rest of a table.
"""

_STRAY = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_TRUNCATED = re.compile("premature end", re.IGNORECASE)
_HARMLESS = re.compile(
    "Invalid SOS parameters for sequential JPEG"
    "|Unknown Adobe color transform code"
    "|unknown JFIF revision number"
    "|bad ICC marker"
)
_END = 0xD9


@dataclass(frozen=True, slots=True)
class Complaint:
    """A decoder's complaint in words; `reason` is `truncated` or `decode_failed`, None if harmless.

    `stray` bytes lie before the `marker` that it is about.
    """

    words: str
    reason: str | None
    stray: int = 0
    marker: int = 0


def complaint_of(message: str) -> Complaint:
    """Return what a message of libjpeg (`jerror.h`) means."""
    found = _STRAY.search(message)
    if found:
        return stray_bytes(int(found[1]), int(found[2], 16), most=MOST_STRAY_BYTES)
    words = message.removeprefix("Corrupt JPEG data: ")
    if _HARMLESS.search(message):
        return Complaint(words, None)
    return Complaint(words, "truncated" if _TRUNCATED.search(message) else "decode_failed")


def stray_bytes(count: int, marker: int, *, most: int) -> Complaint:
    """Return the complaint about bytes before a marker that belong to nothing.

    More than `most` are damage.
    """
    before = "the end marker" if marker == _END else f"marker 0x{marker:02x}"
    words = f"{count} stray byte{'s' if count > 1 else ''} before {before}"
    return Complaint(words, "decode_failed" if count > most else None, stray=count, marker=marker)
