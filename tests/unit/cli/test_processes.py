from collections.abc import Sequence

import pytest

from cli.stack.devices import Device
from cli.stack.environment import python_module
from config.settings import Settings
from tests.unit.cli.conftest import Regatta


class ReplacedError(Exception):
    """The process would have become another program."""


@pytest.fixture(autouse=True)
def broker_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGATTA_BROKER_URL", "redis://somewhere/0")


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, list[str], list[str]]]:
    """Collects what would be supervised: settings, names of devices, arguments."""
    seen: list[tuple[Settings, list[str], list[str]]] = []

    def supervise(settings: Settings, devices: Sequence[Device], *arguments: str) -> int:
        seen.append((settings, [device.name for device in devices], list(arguments)))
        return 0

    monkeypatch.setattr("cli.stack.supervisor.supervise", supervise)
    monkeypatch.setattr("config.logs.configure_logs", lambda _: None)
    return seen


def test_workers_are_told_what_was_asked_for(
    regatta: Regatta, supervised: list[tuple[Settings, list[str], list[str]]]
) -> None:
    result = regatta("worker", "--queues", "detect, media", "--concurrency", "3", "--devices=cpu")
    assert result.exit_code == 0, result.output
    [(settings, devices, arguments)] = supervised
    assert settings.concurrency == 3
    assert settings.broker_url == "redis://somewhere/0"
    assert devices == ["cpu"]
    assert arguments == ["--queues", "detect,media"]


def test_workers_serve_every_queue_unless_told(
    regatta: Regatta, supervised: list[tuple[Settings, list[str], list[str]]]
) -> None:
    assert regatta("worker", "--devices", "cpu").exit_code == 0
    [(_, _, arguments)] = supervised
    assert arguments == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--queues", "detect,detcet"), "there is no queue 'detcet'"),
        (("--models", "unheard-of"), "there is no model 'unheard-of'"),
        (("--devices", "gpu"), "there is no device 'gpu'"),
    ],
)
def test_what_is_not_there_is_said_at_once(
    regatta: Regatta,
    supervised: list[tuple[Settings, list[str], list[str]]],
    words: tuple[str, ...],
    said: str,
) -> None:
    result = regatta("worker", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert supervised == []


def test_without_a_broker_nothing_is_started(
    regatta: Regatta,
    supervised: list[tuple[Settings, list[str], list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REGATTA_BROKER_URL")
    result = regatta("worker")
    assert result.exit_code == 2
    assert "no broker is set" in result.stderr


def test_a_scheduler_takes_this_process_s_place(
    regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def execve(_path: str, command: list[str], _env: dict[str, str]) -> None:
        seen.append(command)
        raise ReplacedError

    monkeypatch.setattr("cli.processes.os.execve", execve)
    regatta("scheduler")
    assert seen == [python_module("scheduler")]
