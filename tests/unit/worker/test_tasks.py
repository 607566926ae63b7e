from typing import Any

import pytest

from core.errors import RetryableError
from core.messages import RUN_SHARD, ShardMessage
from core.work import Hold
from worker import runtime
from worker.tasks import run_shard


class Runtime:
    """Ends a shard as it was told to."""

    def __init__(self, end: str | Exception) -> None:
        self.end = end
        self.holds: list[Hold] = []

    def run(self, hold: Hold) -> str:
        self.holds.append(hold)
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


def runs(monkeypatch: pytest.MonkeyPatch, end: str | Exception) -> Runtime:
    stand_in = Runtime(end)
    monkeypatch.setattr(runtime, "_current", stand_in)
    return stand_in


def test_the_task_has_the_name_by_which_it_is_published() -> None:
    assert run_shard.name == RUN_SHARD


def test_a_message_names_the_shard_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = runs(monkeypatch, "done")
    assert run_shard(ShardMessage(7, 3).to_json()) == "done"
    assert stand_in.holds == [Hold(7, 3)]


@pytest.mark.parametrize(
    "message", [{}, {"version": 3, "shard": 7, "attempt": 3}, {"version": 1, "shard": "7"}]
)
def test_an_unknown_message_runs_nothing(
    monkeypatch: pytest.MonkeyPatch, message: dict[str, Any]
) -> None:
    stand_in = runs(monkeypatch, "done")
    assert run_shard(message) == "unknown"
    assert stand_in.holds == []


def test_a_database_that_is_away_is_left_to_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, RetryableError("away"))
    assert run_shard(ShardMessage(7, 3).to_json()) == "left"


def test_a_process_that_is_no_worker_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_current", None)
    assert run_shard(ShardMessage(7, 3).to_json()) == "left"
