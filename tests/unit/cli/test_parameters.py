from datetime import datetime

import click
import pytest

from cli.options import COLOUR, SINCE, SIZE, TILE
from core.values import parse_since


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("500", 500), ("10kB", 10_000), ("1.5M", 1_500_000), ("2 GiB", 2 * 1024**3)],
)
def test_sizes(text: str, size: int) -> None:
    assert SIZE.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "-1", "ten", "5 apples", "1..5"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not"):
        SIZE.convert(text, None, None)


def test_since_a_date() -> None:
    expected = datetime(2026, 1, 31, 12, 30).astimezone().timestamp()
    assert parse_since("2026-01-31T12:30") == expected
    assert parse_since("1970-01-02T00:00+00:00") == 86_400


@pytest.mark.parametrize(("text", "age"), [("90s", 90), ("36h", 129_600), ("7d", 604_800)])
def test_since_an_age(text: str, age: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert parse_since(text) == 1e9 - age
    assert SINCE.convert(text, None, None) == text  # it counts from when the job begins


@pytest.mark.parametrize("text", ["", "yesterday", "7", "2026-13-01"])
def test_no_points_in_time(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not a date or age"):
        SINCE.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "tile"), [("640x480", (640, 480)), (" 512 ", (512, 512)), ("9X7", (9, 7))]
)
def test_a_tile_has_a_width_and_a_height(text: str, tile: tuple[int, int]) -> None:
    assert TILE.convert(text, None, None) == tile


@pytest.mark.parametrize("text", ["", "x", "640x", "640,480", "-1x2", "640x480x3"])
def test_what_is_no_tile_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="640x640"):
        TILE.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "colour"),
    [("white", (255, 255, 255)), ("#78ff9b", (120, 255, 155)), ("rgb(1, 2, 3)", (1, 2, 3))],
)
def test_a_colour_has_red_green_and_blue(text: str, colour: tuple[int, int, int]) -> None:
    assert COLOUR.convert(text, None, None) == colour


@pytest.mark.parametrize("text", ["", "nosuch", "#12", "1,2,3"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a colour"):
        COLOUR.convert(text, None, None)
