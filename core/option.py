"""Describes an option once, beside the field that holds its value.

The command line's options with their help, the keys of job files, the checks, and the refusal of
options that nothing in a job heeds all come from these descriptions.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from core.errors import UsageError

OPTION = "option"
"""The key of an `Option` in a field's metadata."""

IS_LATER = "is_later"
"""The metadata key of a field that was added to its class in a later version."""


class Kind(Enum):
    """What kind of value an option takes, and how it is written."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    SWITCH = "yes or no"
    SIZE = "size"
    SINCE = "time or age"
    TILE = "tile"
    COLOUR = "colour"
    ANNOTATE = "all, none or sample:N"
    TOLERANCE = "count or share"
    MODEL = "model"  # a registered name or a path
    PLACE = "place"  # a path or URL


@dataclass(frozen=True, slots=True)
class Option:
    """One option: `--{name}` on the command line, `name` in a job file.

    `default` holds if nothing is said; if it isn't a value, `otherwise` says in words what is
    chosen. `least` and `most` bound numbers, `choices` texts. With `is_repeated` there may be
    several values. `heeded_by` lists traits of models (`core.tasks`): the option means something
    only if a model of the job has one of them; None if it always does. `needs` is the option
    without which this one means nothing.
    """

    name: str
    help: str
    kind: Kind = Kind.TEXT
    default: Any = None
    otherwise: str | None = None
    short: str | None = None
    metavar: str | None = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    is_repeated: bool = False
    heeded_by: frozenset[str] | None = None
    needs: str | None = None

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.name}"

    @property
    def key(self) -> str:
        """The option's name in Python."""
        return self.name.replace("-", "_")

    @property
    def bounds(self) -> str:
        """Which numbers the option takes, in words."""
        unit = " bytes" if self.kind is Kind.SIZE else ""
        if self.most is None:
            return f"at least {self.least:g}{unit}"
        if self.kind is Kind.WHOLE:
            return f"{self.least:g} to {self.most:g}"
        return f"between {self.least:g} and {self.most:g}{unit}"

    def check(self, value: Any) -> None:
        """Refuse a value that the option does not allow.

        Raises:
            UsageError: the value is out of bounds, or not one of the choices.
        """
        if self.choices and value not in self.choices:
            raise UsageError(f"{self.flag} must be {' or '.join(self.choices)}, not {value!r}")
        if self.least is None:
            return
        if self.kind is Kind.TILE:
            if not min(value) >= self.least:
                raise UsageError(f"{self.flag} must be at least {self.least}x{self.least} pixels")
            return
        most = float("inf") if self.most is None else self.most
        if not self.least <= value <= most:
            raise UsageError(f"{self.flag} must be {self.bounds}, not {value}")


def option(
    name: str,
    default: Any,
    help: str,  # noqa: A002 - click's name for it
    *,
    heeded_by: Iterable[str] | None = None,
    is_later: bool = False,
    is_required: bool = False,
    **more: Any,
) -> Any:
    """Return a dataclass field that holds an option's value.

    `is_required` fields have no default of their own: the settings provide it.
    """
    said = Option(
        name,
        help,
        default=default,
        heeded_by=None if heeded_by is None else frozenset(heeded_by),
        **more,
    )
    metadata = {OPTION: said, IS_LATER: is_later}
    if is_required:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def options_of(*kinds: type[Any]) -> tuple[Option, ...]:
    """Return the options that the fields of these dataclasses hold."""
    return tuple(
        field.metadata[OPTION]
        for kind in kinds
        for field in dataclasses.fields(kind)
        if OPTION in field.metadata
    )
