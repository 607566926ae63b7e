"""Why entries of a source are not items of a job, as it is counted and as it is said."""

from collections.abc import Iterable, Mapping

HIDDEN = "hidden"
APPLE_DOUBLE = "AppleDouble"
NOT_AN_IMAGE = "not an image"
VIDEO = "video"
NAMED_TWICE = "named twice"
NOT_INCLUDED = "not included"
EXCLUDED = "excluded"
TOO_SMALL = "smaller than --min-size"
TOO_LARGE = "larger than --max-size"
TOO_OLD = "older than --since"

DANGLING = "dangling link"
LOOPING = "looping link"
PIPE = "FIFO"
SOCKET = "socket"
DEVICE = "device"
UNFINISHED = "unfinished file"
UNREADABLE_FILE = "unreadable file"
UNREADABLE_FOLDER = "unreadable folder"

_WORDS = {
    VIDEO: ("video", "videos"),
    HIDDEN: ("hidden", "hidden"),
    APPLE_DOUBLE: ("AppleDouble file", "AppleDouble files"),
    DANGLING: ("dangling link", "dangling links"),
    LOOPING: ("looping link", "looping links"),
    PIPE: ("FIFO", "FIFOs"),
    SOCKET: ("socket", "sockets"),
    DEVICE: ("device", "devices"),
    UNFINISHED: ("unfinished file", "unfinished files"),
    UNREADABLE_FILE: ("unreadable file", "unreadable files"),
    UNREADABLE_FOLDER: ("unreadable folder", "unreadable folders"),
    NAMED_TWICE: (NAMED_TWICE, NAMED_TWICE),
    NOT_INCLUDED: (NOT_INCLUDED, NOT_INCLUDED),
    EXCLUDED: (EXCLUDED, EXCLUDED),
    TOO_SMALL: (TOO_SMALL, TOO_SMALL),
    TOO_LARGE: (TOO_LARGE, TOO_LARGE),
    TOO_OLD: (TOO_OLD, TOO_OLD),
    NOT_AN_IMAGE: ("that is no picture", "that are no pictures"),
    "a video, not an image": ("video", "videos"),  # as earlier versions counted them
}


def in_words(counts: Mapping[str, int]) -> Iterable[str]:
    """Yield each reason with its number: `3 videos`, `2 hidden`, `1 that is no picture`.

    A reason that only a newer version knows is said as it is.
    """
    known = {reason: place for place, reason in enumerate(_WORDS)}
    for reason in sorted(counts, key=lambda reason: known.get(reason, len(known))):
        one, many = _WORDS.get(reason, (reason, reason))
        yield f"{counts[reason]:,} {one if counts[reason] == 1 else many}"
