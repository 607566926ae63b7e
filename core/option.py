"""How an option is described: once, beside the field that holds its value.

From the descriptions come the command line's options with their help, the keys of job files, the
checks, and the refusal of what nothing in a job would heed.
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
"""The key that says that a field came with a later version than its class."""


class Kind(Enum):
    """What a value looks like, written and read."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    SWITCH = "yes or no"
    SIZE = "size"
    SINCE = "time or age"
    TILE = "tile"
    COLOUR = "colour"
    MODEL = "model"  # a registered name or a path
    PLACE = "place"  # a path or URL


@dataclass(frozen=True, slots=True)
class Option:
    """An option: `--{name}` on the command line, `name` in a job file.

    `default` is what holds if nobody says anything; where that is no value, `otherwise` says in
    words what is chosen then. `least` and `most` bound numbers, `choices` texts. With
    `is_repeated` there may be several values. `heeded_by` are traits (`core.tasks`) of models one
    of which a job needs for the option to mean anything, None if it always does; `needs` is an
    option that it is about.
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
        """Which numbers it takes, in words."""
        unit = " bytes" if self.kind is Kind.SIZE else ""
        if self.most is None:
            return f"at least {self.least:g}{unit}"
        if self.kind is Kind.WHOLE:
            return f"{self.least:g} to {self.most:g}"
        return f"between {self.least:g} and {self.most:g}{unit}"

    def check(self, value: Any) -> None:
        """Make sure that a value is within the option's bounds.

        Raises:
            UsageError: it is not.
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
    help: str,  # noqa: A002 - as click calls it
    *,
    heeded_by: Iterable[str] | None = None,
    is_later: bool = False,
    is_required: bool = False,
    **more: Any,
) -> Any:
    """Return a dataclass field that holds an option's value.

    `is_required` fields have no default of their own: the settings say what holds.
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
