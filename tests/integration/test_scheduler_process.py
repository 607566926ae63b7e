import os
import signal
import threading
from collections.abc import Iterator

import pytest

from migrations.upgrade import downgrade
from scheduler.__main__ import main
from scheduler.loop import Scheduler
from store.tables import Process
from tests.bench import Bench


@pytest.fixture(autouse=True)
def _environment(bench: Bench, broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in os.environ:
        if name.startswith("REGATTA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REGATTA_HOME", str(bench.root))
    monkeypatch.setenv("REGATTA_DATABASE_URL", bench.db.url)
    monkeypatch.setenv("REGATTA_BROKER_URL", broker)
    monkeypatch.chdir(bench.root)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_scheduler_ends_in_order_when_it_is_told_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    seen: list[str] = []
    tick = Scheduler.tick

    def stopped_after_one_turn(self: Scheduler) -> None:
        tick(self)
        found = bench.db.read(lambda s: s.query(Process).all())
        seen.extend(process.id for process in found)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Scheduler, "tick", stopped_after_one_turn)
    assert main() == 0
    [name] = seen
    assert name.startswith("scheduler-")
    assert str(os.getpid()) in name
    assert bench.db.read(lambda s: s.query(Process).count()) == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "planner"]


def test_a_scheduler_without_tables_says_so(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    downgrade(bench.db.url, "base")
    assert main() == 2
    captured = capfd.readouterr()
    assert "is not migrated" in captured.err
    assert "hint: `regatta db upgrade`" in captured.err


def test_a_scheduler_without_a_broker_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REGATTA_BROKER_URL")
    assert main() == 2
    captured = capfd.readouterr()
    assert "no broker is set" in captured.err
    assert "hint: " in captured.err
    assert captured.out == ""
