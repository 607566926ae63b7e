"""A sample of a job's items: so many, evenly spread over the listing."""

import hashlib
import re
from dataclasses import dataclass

_WRITTEN = re.compile(r"sample:([1-9]\d{0,14})")


@dataclass(frozen=True, slots=True)
class Sample:
    """`size` of a job's items, or all of them if there are no more.

    The listing is divided into `size` stretches as long as each other, and each gives the item that
    a hash picks. So a sample is exact, follows the listing's folders without falling into step with
    what repeats in it, and is the same whenever the listing is as long.
    """

    size: int

    def __str__(self) -> str:
        return f"sample:{self.size}"

    @classmethod
    def parse(cls, text: str) -> "Sample":
        """Read what `str` writes.

        Raises:
            ValueError: it is something else.
        """
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a sample; write sample:1000")
        return cls(int(match[1]))

    def includes(self, index: int, listed: int) -> bool:
        """Return whether the item at this place (from 0) of `listed` items is in the sample."""
        if self.size >= listed:
            return True
        stretch = ((index + 1) * self.size - 1) // listed
        first, end = (place * listed // self.size for place in (stretch, stretch + 1))
        drawn = hashlib.sha256(f"{self.size} {stretch}".encode()).digest()
        return index == first + int.from_bytes(drawn[:8], "big") % (end - first)
