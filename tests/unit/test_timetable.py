"""When schedules fire: cron in a time zone, also where daylight saving moves the clock."""

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from core.errors import UsageError
from scheduler.timetable import Timetable, window_end

BERLIN = "Europe/Berlin"
SPRING, AUTUMN = "2026-03-28T12:00", "2026-10-24T12:00"  # the days before clocks are moved there


def at(text: str, zone: str = BERLIN, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def texts(cron: str, moment: float, most: int, zone: str = BERLIN) -> list[str]:
    times = islice(Timetable(cron, zone).after(moment), most)
    return [
        datetime.fromtimestamp(each, ZoneInfo(zone)).isoformat(timespec="minutes")[5:]
        for each in times
    ]


def test_times_come_in_the_schedules_own_zone() -> None:
    assert texts("0 2 * * *", at("2026-01-05T02:00"), 2) == [
        "01-06T02:00+01:00",
        "01-07T02:00+01:00",
    ]
    assert texts("30 9 * * MON", at("2026-01-05T02:00", "Asia/Kolkata"), 1, "Asia/Kolkata") == [
        "01-05T09:30+05:30"
    ]


@pytest.mark.parametrize(
    ("cron", "times"),
    [
        ("30 2 * * *", ["29T03:00+02:00", "30T02:30+02:00"]),
        ("0,30 2 * * *", ["29T03:00+02:00", "30T02:00+02:00", "30T02:30+02:00"]),
        ("0 2,3 * * *", ["29T03:00+02:00", "30T02:00+02:00", "30T03:00+02:00"]),
        ("*/30 2 * * *", ["30T02:00+02:00", "30T02:30+02:00"]),
    ],
)
def test_a_time_in_the_missing_hour_comes_at_its_end(cron: str, times: list[str]) -> None:
    assert texts(cron, at(SPRING), len(times)) == [f"03-{each}" for each in times]


def test_periodic_times_leave_the_missing_hour_out() -> None:
    assert texts("0 * * * *", at("2026-03-29T01:00"), 2) == [
        "03-29T03:00+02:00",
        "03-29T04:00+02:00",
    ]


def test_a_time_in_the_repeated_hour_comes_once() -> None:
    times = ["10-25T02:30+02:00", "10-26T02:30+01:00"]
    assert texts("30 2 * * *", at(AUTUMN), 2) == times
    for begin in ("2026-10-25T02:10", "2026-10-25T02:45"):
        assert texts("30 2 * * *", at(begin, fold=1), 1) == times[1:]


def test_periodic_times_come_in_both_passes() -> None:
    assert texts("*/30 2 * * *", at(AUTUMN), 5) == [
        "10-25T02:00+02:00",
        "10-25T02:30+02:00",
        "10-25T02:00+01:00",
        "10-25T02:30+01:00",
        "10-26T02:00+01:00",
    ]


@pytest.mark.parametrize("cron", ["30 2 * * *", "0,30 2 * * *", "*/20 2 * * *", "0 1-3 * * *"])
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_times_are_the_same_wherever_one_begins(cron: str, day: str) -> None:
    timetable = Timetable(cron, BERLIN)
    begin, end = at(day), at(day) + 36 * 3600
    times = [each for each in islice(timetable.after(begin), 50) if each <= end]
    for moment in range(int(begin), int(end), 601):
        expected = [each for each in times if each > moment][:1]
        found = timetable.next(moment)
        assert [found] == expected or (not expected and found is not None and found > end)


@pytest.mark.parametrize(
    ("word", "cron"),
    [("@daily", "0 0 * * *"), ("@Hourly", "0 * * * *"), ("@weekly", "0 0 * * 0")],
)
def test_words_stand_for_expressions(word: str, cron: str) -> None:
    moment = at("2026-01-05T02:00")
    assert texts(word, moment, 3) == texts(cron, moment, 3)


@pytest.mark.parametrize(
    ("cron", "message", "hint"),
    [
        ("0 2 * *", "4 fields, not five", "five fields"),
        ("0 0 2 * * *", "6 fields, not five", "five fields"),
        ("", "0 fields", "five fields"),
        ("61 * * * *", "bad minute", "five fields"),
        ("0 0 30 2 *", "bad day-of-month", "five fields"),
        ("@dayly", "not a cron expression", "did you mean '@daily'"),
        ("@reboot", "not a cron expression", "@"),
    ],
)
def test_expressions_without_times_are_refused(cron: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Timetable(cron, "UTC")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "zone", ["Europe/Berlinn", "", "../etc/passwd", "/etc/localtime", "Europe"]
)
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(UsageError, match="there is no time zone"):
        Timetable("@daily", zone)


def test_a_near_zone_is_proposed() -> None:
    with pytest.raises(UsageError) as caught:
        Timetable("@daily", "europe/berln")
    assert "'Europe/Berlin'" in (caught.value.hint or "")


def test_times_are_told_in_english() -> None:
    assert Timetable("0 2 * * *", BERLIN).explain() == "At 02:00 every day (Europe/Berlin)"


def test_a_window_closes_at_the_next_such_time() -> None:
    assert window_end("06:00", BERLIN, at("2026-01-05T02:00")) == at("2026-01-05T06:00")
    assert window_end("06:00", BERLIN, at("2026-01-05T22:00")) == at("2026-01-06T06:00")
    assert window_end("06:00", BERLIN, at("2026-01-05T06:00")) == at("2026-01-06T06:00")
    assert window_end("02:30", BERLIN, at("2026-03-29T01:00")) == at("2026-03-29T03:00")


def test_the_last_of_a_years_minutes_are_found_at_once() -> None:
    until = at("2026-01-05T02:00", "UTC")
    times, has_more = Timetable("* * * * *", "UTC").newest(until - 365 * 86400, until, most=3)
    assert (times, has_more) == ([until - 120, until - 60, until], True)
    first = until - 2 * 86400
    assert Timetable("0 2 * * *", "UTC").newest(first - 1, until, most=3) == (
        [first, first + 86400, until],
        False,
    )
    assert Timetable("0 2 * * *", "UTC").newest(until, until + 5, most=3) == ([], False)
