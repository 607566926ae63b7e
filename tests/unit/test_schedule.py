"""What a schedule is, as it is kept and read."""

from typing import Any

import pytest

from core.errors import NewerError, UsageError
from core.request import JobRequest
from core.schedule import CatchUp, Mode, Overlap, Schedule, check_name

REQUEST = JobRequest.of("/photos", "boats", threshold=0.4, since="7d")
NIGHTLY = Schedule(
    "0 2 * * *",
    "Europe/Berlin",
    REQUEST,
    mode=Mode.NEW_ONLY,
    catch_up=CatchUp.ALL,
    overlap=Overlap.CANCEL_PREVIOUS,
    until="06:00",
    keep_runs=7,
    keep_seconds=86400.0,
)


def schedule(**more: Any) -> Schedule:
    return Schedule("@daily", "UTC", **{"request": REQUEST, **more})


@pytest.mark.parametrize("one", [NIGHTLY, schedule()])
def test_a_schedule_is_read_as_it_was_written(one: Schedule) -> None:
    one.check()
    assert Schedule.from_json(one.to_json()) == one


def test_ages_stay_ages() -> None:
    assert NIGHTLY.to_json()["request"]["since"] == "7d"


@pytest.mark.parametrize(
    "more",
    [{"overlap": "merge"}, {"jitter": 5}, {"request": {"source": "/s", "nosuch": 1}}],
)
def test_what_a_newer_version_wrote_is_left_to_it(more: dict[str, Any]) -> None:
    with pytest.raises(NewerError):
        Schedule.from_json(NIGHTLY.to_json() | more)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"until": "6:00"}, "not a time of day"),
        ({"until": "24:00"}, "not a time of day"),
        ({"keep_runs": 0}, "0 runs cannot be kept"),
        ({"keep_seconds": 0.0}, "for no time"),
        ({"keep_seconds": float("nan")}, "for no time"),
        (
            {"mode": Mode.NEW_ONLY, "request": REQUEST.but(since_job="latest")},
            "--since-job names another job",
        ),
        ({"request": REQUEST.but(priority=11)}, "priority"),
    ],
)
def test_values_that_no_schedule_can_have_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        schedule(**more).check()


@pytest.mark.parametrize("name", ["", "-n", "a b", "a/b", "x" * 101, "a\n"])
def test_names_that_confuse_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)
    check_name("nightly-2.new_boats")
