import json

from cli.show.log_lines import readable


def line(**values: object) -> str:
    return readable(json.dumps({"timestamp": "2026-01-31T12:30:05.123456Z", **values}))


def test_what_happened_and_to_what() -> None:
    assert line(event="shard started", level="info", shard=7, job="abc", logger="worker.run") == (
        "12:30:05Z shard started shard=7 job=abc"
    )
    shown = line(event="disk full", level="error", why="no room", left=0.12345, parts=[1, 2])
    assert shown == "12:30:05Z error: disk full why='no room' left=0.1235 parts=[1, 2]"


def test_tracebacks_have_lines_of_their_own() -> None:
    shown = line(event="unforeseen", level="warning", exception="Traceback\n  here\nValueError: x")
    assert shown.splitlines() == [
        "12:30:05Z warning: unforeseen",
        "Traceback",
        "  here",
        "ValueError: x",
    ]


def test_other_lines_stay_and_nothing_steers_the_terminal() -> None:
    assert readable("libpng error: \x1b[2Jx") == r"libpng error: \x1b[2Jx"
    assert readable("[1, 2]") == "[1, 2]"
    assert readable("[" * 100_000) == "[" * 100_000
    assert line(event="a\x1b[2J") == r"12:30:05Z a\x1b[2J"
