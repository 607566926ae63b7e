"""What the values of options look like: sizes, ages."""

import re
import time
from datetime import datetime, timedelta
from typing import Any

import click

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt]?)(i?)b?)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)", re.IGNORECASE)
_TILE = re.compile(r"(\d{1,5})(?:[xX](\d{1,5}))?")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Size(click.ParamType[int]):
    """A number of bytes: `500`, `10kB` (thousands), `10KiB` (1,024s), `1.5M`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        match = _SIZE.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no size; write 500, 10kB, 2MB or 1.5GiB", param, ctx)
        base = 1024 if match[3] else 1000
        return int(float(match[1]) * base ** _POWERS[match[2].lower()])


class Since(click.ParamType[float]):
    """A point in time: a date, a date with time, or an age such as `36h`, `7d`."""

    name = "date|age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds since 1970; dates without a zone are this machine's local time."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if match := _DURATION.fullmatch(text):
            return (
                time.time()
                - timedelta(**{_UNITS[match[2].lower()]: float(match[1])}).total_seconds()
            )
        try:
            return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no date or age; write 2026-01-31, 36h or 7d", param, ctx)


class Tile(click.ParamType[tuple[int, int]]):
    """A width and a height in pixels: `640x640`, or `640` for both."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Width and height."""
        match = _TILE.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no size of a tile; write 640x640", param, ctx)
        return int(match[1]), int(match[2] or match[1])


class Colour(click.ParamType[tuple[int, int, int]]):
    """A colour as web pages write it: `white`, `#78ff9b`."""

    name = "colour"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        from PIL import ImageColor  # noqa: PLC0415 - most commands name no colour

        try:
            red, green, blue, *_ = ImageColor.getrgb(str(value).strip())
        except ValueError:
            self.fail(f"{value!r} is no colour; write white or '#78ff9b'", param, ctx)
        return red, green, blue


SIZE = Size()
SINCE = Since()
TILE = Tile()
COLOUR = Colour()
