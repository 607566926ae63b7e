import sys

import pytest

from tests.unit.cli.conftest import Regatta


class ReplacedError(Exception):
    """The process would have become another program."""


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collects the command lines, with the environment's settings as `NAME=value` behind."""
    seen: list[list[str]] = []

    def execve(_path: str, command: list[str], env: dict[str, str]) -> None:
        settings = [f"{k}={v}" for k, v in env.items() if k.startswith("REGATTA_")]
        seen.append([*command, *settings])
        raise ReplacedError

    monkeypatch.setattr("cli.processes.os.execve", execve)
    monkeypatch.setenv("REGATTA_BROKER_URL", "redis://somewhere/0")
    return seen


def test_a_worker_takes_this_process_s_place(regatta: Regatta, becomes: list[list[str]]) -> None:
    regatta("worker", "--queues", "detect, media", "--concurrency", "3")
    [words] = becomes
    assert words[:6] == [sys.executable, "-P", "-m", "worker", "--queues", "detect,media"]
    assert "REGATTA_CONCURRENCY=3" in words
    assert "REGATTA_BROKER_URL=redis://somewhere/0" in words


def test_a_worker_serves_every_queue_unless_told(
    regatta: Regatta, becomes: list[list[str]]
) -> None:
    regatta("worker")
    [words] = becomes
    assert words[3] == "worker"
    assert "--queues" not in words


def test_a_scheduler_takes_this_process_s_place(regatta: Regatta, becomes: list[list[str]]) -> None:
    regatta("scheduler")
    assert becomes[0][:4] == [sys.executable, "-P", "-m", "scheduler"]
