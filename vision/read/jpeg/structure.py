"""The markers of a JPEG file, read without decoding anything.

Markers and segments are those of ITU-T T.81, annex B.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.errors import BadInputError

SOI, EOI, SOS, DNL = 0xD8, 0xD9, 0xDA, 0xDC
APP0, APP1, APP14 = 0xE0, 0xE1, 0xEE
_TABLES = frozenset({0xC4, 0xC8, 0xCC})  # DHT, JPG, DAC: between the frames' markers
FRAMES = frozenset(range(0xC0, 0xD0)) - _TABLES | {0xF7}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment

_MOST_MARKERS = 20_000
"""Depth maps and panoramas fill hundreds of segments, a comment of 100 MB not two thousand."""

_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
# Begins with a plain byte, which makes it ten times as fast over a scan's data.
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and its segment: `data[start:stop]`, whose contents begin at `body`.

    `stray` is the number of bytes before it that belong to nothing.
    """

    marker: int
    start: int
    body: int
    stop: int
    stray: int


@dataclass(frozen=True, slots=True)
class Component:
    """A component's id and its sampling factors: horizontal, vertical."""

    id: int
    horizontal: int
    vertical: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame header: `marker` is its SOF."""

    marker: int
    precision: int
    width: int
    height: int
    components: tuple[Component, ...]

    @property
    def is_sequential(self) -> bool:
        """Whether each scan brings its components whole."""
        return self.marker in {0xC0, 0xC1, 0xC9}

    @property
    def is_progressive(self) -> bool:
        """Whether its scans refine each other."""
        return self.marker in {0xC2, 0xCA}


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan header: the ids of its components, and which bits of which coefficients it brings."""

    components: tuple[int, ...]
    first: int
    last: int
    low_bit: int


@dataclass(frozen=True, slots=True)
class Structure:
    """What comes before the first scan's data: the last of the segments is the first scan's."""

    segments: tuple[Segment, ...]
    frame: Frame
    first_scan: Scan
    end: int = field(default=0)

    @property
    def has_several_scans(self) -> bool:
        """Whether a decoder has to keep all coefficients until it has seen all scans."""
        return self.frame.is_progressive or len(self.first_scan.components) < len(
            self.frame.components
        )


def read_structure(data: bytes) -> Structure:
    """Return the structure of a file that begins with SOI.

    Raises:
        BadInputError: `truncated`, the file ends before its first scan; `decode_failed`, what
            comes before it makes no sense.
    """
    segments = []
    frame = None
    for segment in _segments(data):
        segments.append(segment)
        if segment.marker in FRAMES and frame is None:
            frame = _frame(data, segment)
        elif segment.marker == SOS:
            if frame is None:
                raise BadInputError("decode_failed", "the JPEG has a scan before its frame header")
            return Structure(tuple(segments), frame, scan_of(data, segment), segment.stop)
        elif segment.marker in {SOI, EOI}:
            raise BadInputError("decode_failed", "the JPEG has no scan")
    if data.endswith(b"\xff\xd9"):
        raise BadInputError("decode_failed", "the JPEG's header is damaged")
    raise BadInputError("truncated", "the JPEG ends within its header")


def _segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments from the second marker on, as far as they are whole."""
    at, count = 2, 0
    while found := _NEXT_MARKER.search(data, at):
        count = _counted(count)
        marker, start, body = found[1][0], found.start(), found.end()
        if marker in _ALONE or marker in {SOI, EOI}:
            yield Segment(marker, start, body, body, start - at)
            at = body
            continue
        length = int.from_bytes(data[body : body + 2], "big")
        if len(data) < body + max(length, 2):
            return
        if length < 2:  # noqa: PLR2004 - it counts its own two bytes
            raise BadInputError("decode_failed", "a JPEG's segment has no length")
        yield Segment(marker, start, body + 2, body + length, start - at)
        at = body + length


def _counted(markers: int) -> int:
    """Return one more, or refuse a file whose very markers would keep a processor busy."""
    if markers >= _MOST_MARKERS:
        raise BadInputError("decode_failed", f"the JPEG has more than {_MOST_MARKERS} markers")
    return markers + 1


def _frame(data: bytes, segment: Segment) -> Frame:
    body = data[segment.body : segment.stop]
    count = body[5] if len(body) > 5 else 0  # noqa: PLR2004 - T.81, B.2.2
    if len(body) != 6 + 3 * count or not count:
        raise BadInputError("decode_failed", "the JPEG's frame header is damaged")
    parts = (body[at : at + 3] for at in range(6, len(body), 3))
    return Frame(
        segment.marker,
        precision=body[0],
        width=int.from_bytes(body[3:5], "big"),
        height=int.from_bytes(body[1:3], "big"),
        components=tuple(Component(one[0], one[1] >> 4, one[1] & 15) for one in parts),
    )


def scan_of(data: bytes, segment: Segment) -> Scan:
    """Return what a scan's header says.

    Raises:
        BadInputError: `decode_failed`, it makes no sense.
    """
    body = data[segment.body : segment.stop]
    count = body[0] if body else 0
    if len(body) != 4 + 2 * count or not count:
        raise BadInputError("decode_failed", "a JPEG's scan header is damaged")
    first, last, bits = body[-3:]
    return Scan(tuple(body[1:-3:2]), first, last, bits & 15)


def scan_segments(data: bytes, structure: Structure) -> Iterator[Segment]:
    """Yield the headers of all scans, the first one's first, as far as the picture's end.

    Raises:
        BadInputError: `decode_failed`, there are too many markers.
    """
    segment = structure.segments[-1]
    yield segment
    at, count = segment.stop, 0
    while found := _AFTER_SCAN.search(data, at):
        count = _counted(count)
        marker, body = found[1][0], found.end()
        if marker in {SOI, EOI}:
            return
        at = body + max(2, int.from_bytes(data[body : body + 2], "big"))
        if marker == SOS and at <= len(data):
            yield Segment(marker, found.start(), body + 2, at, 0)


def end_of_picture(data: bytes, structure: Structure) -> int:
    """Return where the end marker begins, or the length of the data if it has none."""
    *_, last = scan_segments(data, structure)
    found = data.find(b"\xff\xd9", last.stop)
    return len(data) if found < 0 else found
