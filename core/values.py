"""Reads and writes the values of options as text: sizes, ages, tiles, colours."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from core.option import Kind, Option
from core.options import ModelRef
from core.sample import Sample
from core.tolerance import parse_tolerance

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt]?)(i?)b?)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)", re.IGNORECASE)
_TILE = re.compile(r"(\d{1,5})(?:[xX](\d{1,5}))?")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_size(text: str) -> int:
    """Return a number of bytes: `500`, `10kB` (thousands), `10KiB` (1,024s), `1.5M`.

    Raises:
        ValueError: the text says none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write 500, 10kB, 2MB or 1.5GiB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** _POWERS[match[2].lower()])


def parse_since(text: str) -> float:
    """Return a point in time, a date with or without time or an age such as `36h`, as Unix time.

    Dates without a zone are this machine's local time; ages count back from now.

    Raises:
        ValueError: the text says none.
    """
    if match := _DURATION.fullmatch(text.strip()):
        age = timedelta(**{_UNITS[match[2].lower()]: float(match[1])})
        return time.time() - age.total_seconds()
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is not a date or age; write 2026-01-31, 36h or 7d") from None


def parse_tile(text: str) -> tuple[int, int]:
    """Return the width and height in pixels of a tile: `640x640`, or `640` for both.

    Raises:
        ValueError: the text says none.
    """
    match = _TILE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not the size of a tile; write 640x640")
    return int(match[1]), int(match[2] or match[1])


def parse_colour(text: str) -> tuple[int, int, int]:
    """Return the red, green and blue (0 to 255) of a colour as web pages write it: `#78ff9b`.

    Raises:
        ValueError: the text says none.
    """
    from PIL import ImageColor  # noqa: PLC0415 - most commands name no colour

    try:
        red, green, blue, *_ = ImageColor.getrgb(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a colour; write white or '#78ff9b'") from None
    return red, green, blue


_WHICH = {"all": True, "none": False}


def parse_annotate(text: str) -> bool | Sample:
    """Return which items get pictures: `all`, `none`, `sample:1000`.

    Raises:
        ValueError: the text says none of these.
    """
    if (which := _WHICH.get(text.strip().lower())) is not None:
        return which
    try:
        return Sample.parse(text)
    except ValueError:
        raise ValueError(f"{text!r} is not all, none or sample:1000") from None


def annotate_text(value: bool | Sample) -> str:
    """Return what `parse_annotate` reads."""
    return str(value) if isinstance(value, Sample) else "all" if value else "none"


def read_value(option: Option, value: Any) -> Any:
    """Return what a file says about an option: text as people write it, numbers, lists of either.

    A point in time stays text: an age counts back from when it is used.

    Raises:
        ValueError: it is not such a value; the message does not name the option.
    """
    if not option.is_repeated:
        return _READERS[option.kind](value)
    values = value if isinstance(value, list) else [value]
    return tuple(_READERS[option.kind](one) for one in values)


def plain_value(value: Any) -> Any:
    """Return an option's value as plain JSON, which `read_value` can read."""
    if isinstance(value, ModelRef):
        return value.to_json()
    if isinstance(value, Sample):
        return str(value)
    return [plain_value(one) for one in value] if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not text")
    return value


def _model(value: Any) -> str | ModelRef:
    return ModelRef.from_json(value) if isinstance(value, dict) else _text(value)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _number(value: Any) -> float:
    if type(value) not in {int, float}:
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _switch(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _annotate(value: Any) -> bool | Sample:
    return parse_annotate(value) if isinstance(value, str) else _switch(value)


def _size(value: Any) -> int:
    return parse_size(value) if isinstance(value, str) else _whole(value)


def _since(value: Any) -> str | float:
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    if isinstance(value, str):
        parse_since(value)
        return value
    return _number(value)


def _tile(value: Any) -> tuple[int, int]:
    width, height = _list(value, 2) if isinstance(value, list) else parse_tile(str(value))
    return width, height


def _colour(value: Any) -> tuple[int, int, int]:
    red, green, blue = _list(value, 3) if isinstance(value, list) else parse_colour(str(value))
    return red, green, blue


def _list(value: list[Any], length: int) -> list[int]:
    if len(value) != length:
        raise ValueError(f"{value!r} is not {length} numbers")
    return [_whole(one) for one in value]


_READERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.MODEL: _model,
    Kind.PLACE: _text,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.SWITCH: _switch,
    Kind.SIZE: _size,
    Kind.SINCE: _since,
    Kind.TILE: _tile,
    Kind.COLOUR: _colour,
    Kind.ANNOTATE: _annotate,
    Kind.TOLERANCE: lambda value: parse_tolerance(str(value)),
}
