"""What is known of a picture before and after it is decoded, and what a format's module does."""

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.formats import Format


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its picture: `width` and `height` are pixels as stored, not upright.

    A format's module may add fields that its decoder needs.
    """

    format: Format
    width: int
    height: int

    @property
    def decode_bytes(self) -> int:
        """The most memory that decoding takes beside the file, the picture itself included.

        A stored picture and the copy that is turned upright, unless a format's module knows better.
        """
        return 2 * self.picture_bytes

    @property
    def picture_bytes(self) -> int:
        """The size of the decoded picture."""
        return 3 * self.width * self.height


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as stored: uint8 (H, W, 3), blue first.

    `orientation` is EXIF's number, 1 to 8, that says how it is turned upright. `warnings` say in
    words what is odd about the file; the pixels are right, except for damage that a lenient reader
    has accepted.
    """

    pixels: NDArray[np.uint8]
    orientation: int = 1
    warnings: tuple[str, ...] = field(default=())


H = TypeVar("H", bound=Header)


class Reader(Protocol[H]):
    """A format's module. Its functions may be called from many threads at once."""

    def inspect(self, data: bytes) -> H:
        """Read what is known of the first picture without decoding it.

        Nothing is allocated that the size of the file doesn't allow.

        Raises:
            BadInputError: `truncated`, `decode_failed`, or `not_supported` (a variant that is not
                read; the message names it).
        """
        ...

    def decode(self, data: bytes, header: H, *, is_lenient: bool) -> Decoded:
        """Decode the first picture of a file whose header has been inspected.

        With `is_lenient`, damage is a warning wherever there are pixels nevertheless.

        Raises:
            BadInputError: `truncated`, `decode_failed` or `not_supported`.
        """
        ...
