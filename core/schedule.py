"""A schedule: a job that is submitted again and again, and what its times bring."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from core.codec import checked_keys
from core.errors import NewerError, UsageError
from core.request import JobRequest

_LONGEST_NAME = 100
_NAME = re.compile(rf"\w[\w.+-]{{0,{_LONGEST_NAME - 1}}}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
SINCE_JOB = "since_job"
"""The option of a request that `Mode.NEW_ONLY` fills in at each fire."""

REDO_ON = "redo_on"
"""The option of a request that means something only beside that one."""


class Mode(StrEnum):
    """What each run does."""

    ALL = "all"
    NEW_ONLY = "new-only"  # what is new or changed since the last run


class CatchUp(StrEnum):
    """Which of the times are made up for that passed while no scheduler was up."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class Overlap(StrEnum):
    """What happens at a time at which the previous run has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_PREVIOUS = "cancel-previous"


class ScheduleState(StrEnum):
    """Whether a schedule fires."""

    ACTIVE = "active"
    PAUSED = "paused"


class FireState(StrEnum):
    """What became of one time of a schedule.

    `firing` and `queued` lead to `submitted`. A run that its window's end has paused is `held`,
    until the next window lets it go on.
    """

    FIRING = "firing"
    QUEUED = "queued"
    SUBMITTED = "submitted"
    HELD = "held"
    SKIPPED = "skipped"
    FAILED = "failed"


class Cause(StrEnum):
    """Why a schedule fired."""

    DUE = "due"
    CAUGHT_UP = "caught up"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is submitted at which times.

    `cron` has five fields, or is a word such as `@daily`; `timezone` is a name of the IANA
    database. `until` (HH:MM there) closes the window that each fire opens: what is unfinished then
    is paused, and goes on in the next window. `keep_runs` and `keep_seconds` say which of its
    runs `prune` leaves; None: no limit.

    An `output` in the request is the folder below which each run gets one of its own.
    """

    cron: str
    timezone: str
    request: JobRequest
    mode: Mode = Mode.ALL
    catch_up: CatchUp = CatchUp.LAST
    overlap: Overlap = Overlap.SKIP
    until: str | None = None
    keep_runs: int | None = None
    keep_seconds: float | None = None

    def check(self) -> None:
        """Refuse values that no schedule could have; `scheduler.timetable` checks its times.

        Raises:
            UsageError: a value is out of bounds, or two don't go together.
        """
        self.request.check()
        if self.until is not None and not _CLOCK.fullmatch(self.until):
            raise UsageError(
                f"{self.until!r} is not a time of day", hint="write --until as HH:MM, like 06:00"
            )
        if self.mode is Mode.NEW_ONLY and SINCE_JOB in self.request.said:
            raise UsageError(
                "--mode new-only goes on from the schedule's own last run, and --since-job names "
                "another job",
                hint="leave one of them out",
            )
        if self.keep_runs is not None and self.keep_runs < 1:
            raise UsageError(f"{self.keep_runs} runs cannot be kept", hint="keep at least one")
        if self.keep_seconds is not None and not self.keep_seconds > 0:
            raise UsageError("runs cannot be kept for no time", hint="keep them for 1d, say")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a database; what is left open is left out."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {
            name: value.value if isinstance(value, StrEnum) else value
            for name, value in values.items()
            if value is not None
        }
        return {**plain, "request": self.request.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        values = dict(checked_keys(data, "schedule key", cls))
        for name, words in (("mode", Mode), ("catch_up", CatchUp), ("overlap", Overlap)):
            if name in values:
                if values[name] not in set(words):
                    raise NewerError(f"a schedule whose {name} is {values[name]!r}")
                values[name] = words(values[name])
        return cls(**{**values, "request": JobRequest.from_json(values["request"])})


def check_name(name: str) -> None:
    """Refuse names for a schedule that would be confusing.

    Raises:
        UsageError: it has characters that a name may not have, or too many.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a schedule's name",
            hint=f"use up to {_LONGEST_NAME} letters, digits and . _ + -, no sign first",
        )
