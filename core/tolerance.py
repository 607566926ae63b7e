"""How many quarantined items a job puts up with before it is paused."""

import re
from dataclasses import dataclass

_WRITTEN = re.compile(r"(\d{1,15})|(\d{1,3}(?:\.\d{1,6})?)\s*%")
_LEAST_ENDED = 100


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A number of items, or a share of those that have ended.

    A share, 0 to 1, counts once `least_ended` items have ended: the first few say little.
    """

    items: int | None = None
    share: float = 1.0
    least_ended: int = _LEAST_ENDED

    @classmethod
    def parse(cls, text: str) -> "Tolerance":
        """Read `100` or `5%`.

        Raises:
            ValueError: it is neither.
        """
        match = _WRITTEN.fullmatch(text.strip())
        if match is None or float(match[2] or 0) > 100:  # noqa: PLR2004 - the whole
            raise ValueError(f"{text!r} is neither a number of items nor a share; write 100 or 5%")
        return cls(items=int(match[1])) if match[1] else cls(share=float(match[2]) / 100)

    def is_exceeded(self, *, ended: int, quarantined: int) -> bool:
        """Return whether so many quarantined items among those that ended are too many."""
        if self.items is not None:
            return quarantined > self.items
        return ended >= self.least_ended and quarantined > self.share * ended


USUAL = Tolerance(share=0.05, least_ended=1000)
"""What holds if nothing was said: small jobs end before it does."""

ANY = "100%"
"""The tolerance that nothing exceeds, as it is written."""


def parse_tolerance(text: str) -> str:
    """Return a tolerance as it is stored.

    Raises:
        ValueError: it is none.
    """
    Tolerance.parse(text)
    return text.strip()
