"""What a database's error means for the work that met it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What to do about an error."""

    PASSING = "passing"  # locked, away, overtaken: the same work may succeed in a moment
    FULL = "full"  # no room, or read-only: it will pass, but not in a moment
    REFUSED = "refused"  # the server does not let us in; waiting does not help
    UNMIGRATED = "unmigrated"  # tables or columns that this version needs are missing
    MISTAKE = "mistake"  # our own mistake


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error's kind, and what a person can do about it."""

    kind: Kind
    hint: str | None = None


MISTAKE = Trouble(Kind.MISTAKE)
UNMIGRATED = Trouble(Kind.UNMIGRATED, "`regatta db upgrade` brings its tables to this version")
