"""What one check of `regatta doctor` found."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check ended. Only `FAILED` makes `doctor` fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "-"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `mend` says what to do about it if it is not as it should be."""

    check: str
    status: Status
    found: str
    mend: str | None = None
