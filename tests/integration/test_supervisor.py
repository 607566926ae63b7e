"""The supervisor over real processes that stand in for workers, one turn at a time."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.stack.child import Child
from cli.stack.devices import CPU, Device
from cli.stack.supervisor import Supervisor, device_workers
from config.settings import Settings
from tests.workshop import PATIENCE

LOYAL = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
SLOW = (
    "import signal, sys\n"
    "def second(*_): sys.exit(0)\n"
    "def first(*_): signal.signal(signal.SIGTERM, second); print('ready', flush=True)\n"
    "signal.signal(signal.SIGTERM, first)\n"
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
WAIT = "print('ready', flush=True)\nwhile True: signal.pause()\n"


@dataclass
class Stand:
    """A supervisor whose time goes on by a second a turn, and what happened to its children."""

    folder: Path
    now: float = 0.0
    signals: int = 0
    dead: list[int] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)

    def child(self, code: str) -> Child:
        name = f"c{len(self.children)}"
        command = [sys.executable, "-S", "-c", code]
        self.children.append(Child(name, command, {}, self.folder / name, hang_seconds=1000.0))
        return self.children[-1]

    def supervisor(self) -> Supervisor:
        return Supervisor(
            self.children,
            drain_seconds=20.0,
            stop=lambda: self.signals,
            died=self.dead.append,
            clock=lambda: self.now,
        )

    def said(self, child: Child) -> int:
        path = self.folder / child.name
        return path.read_text().count("ready") if path.exists() else 0

    def until(self, supervisor: Supervisor, condition: Callable[[], bool]) -> None:
        while not condition():
            supervisor.tick()
            self.now += 0.001  # so slowly that nothing is late

    def start(self) -> Supervisor:
        supervisor = self.supervisor()
        for child in self.children:
            child.start(self.now)
        self.until(supervisor, lambda: all(map(self.said, self.children)))
        return supervisor


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    for child in stand.children:
        child.kill()
        child.await_end(PATIENCE)


def pid_of(child: Child) -> int:
    assert child.identity is not None
    return child.identity.pid


def test_one_s_death_is_no_concern_of_the_others(stand: Stand) -> None:
    one, two = stand.child(LOYAL + WAIT), stand.child(LOYAL + WAIT)
    supervisor = stand.start()
    dying, other = pid_of(one), pid_of(two)
    one.kill()
    stand.until(supervisor, lambda: stand.dead == [dying])
    stand.now += 0.5
    stand.until(supervisor, lambda: stand.said(one) == 2)
    assert pid_of(one) != dying
    assert pid_of(two) == other
    assert stand.said(two) == 1


def test_a_frozen_one_is_killed_and_started_again(stand: Stand) -> None:
    beat = "import os; os.write(int(os.environ['REGATTA_HEARTBEAT_FD']), b'.')\n"
    frozen = stand.child(LOYAL + beat + WAIT)
    supervisor = stand.start()
    dying = pid_of(frozen)
    os.kill(dying, signal.SIGSTOP)
    supervisor.tick()
    stand.now += 1001.0
    supervisor.tick()
    stand.now += 3.0
    stand.until(supervisor, lambda: stand.dead == [dying])
    stand.now += 1.0
    stand.until(supervisor, lambda: stand.said(frozen) == 2)


def test_all_drain_at_the_first_signal(stand: Stand) -> None:
    for _ in range(2):
        stand.child(LOYAL + WAIT)

    def pause() -> None:
        if all(map(stand.said, stand.children)):
            stand.signals = 1

    assert stand.supervisor().run(pause) == 0
    assert stand.dead == []
    assert not any(child.is_kept for child in stand.children)


def test_the_second_signal_is_final(stand: Stand) -> None:
    slow = stand.child(SLOW + WAIT)

    def pause() -> None:
        stand.signals = stand.said(slow)  # it says so once more when the first one came

    assert stand.supervisor().run(pause) == 130
    assert stand.dead == []


def test_one_that_does_not_end_is_killed(stand: Stand) -> None:
    deaf = stand.child(DEAF + WAIT)

    def pause() -> None:
        if stand.said(deaf):
            stand.signals = 1
            stand.now += 1.0

    assert stand.supervisor().run(pause) == 1
    assert len(stand.dead) == 1
    assert stand.now >= 30.0


def test_what_cannot_work_is_not_tried_again(stand: Stand) -> None:
    stand.child("import sys; sys.exit(2)")
    assert stand.supervisor().run(lambda: None) == 2
    assert len(stand.dead) == 1


def test_one_that_waits_for_its_restart_is_left_dead(stand: Stand) -> None:
    stand.child("import sys; sys.exit(3)")

    def pause() -> None:
        stand.signals = len(stand.dead)

    assert stand.supervisor().run(pause) == 0


def test_workers_are_pinned_and_share_the_cores(tmp_path: Path) -> None:
    gpus = [Device(f"gpu{n}", {"CUDA_VISIBLE_DEVICES": str(n)}) for n in range(2)]
    settings = Settings(home=tmp_path, cores=5, broker_url="redis://x/0")
    workers = device_workers(settings, gpus, "--queues", "detect")
    assert [worker.name for worker in workers] == ["worker-gpu0", "worker-gpu1"]
    told = [worker._environment for worker in workers]
    assert [env["CUDA_VISIBLE_DEVICES"] for env in told] == ["0", "1"]
    assert [env["REGATTA_CORES"] for env in told] == ["3", "2"]
    [worker] = device_workers(settings, [CPU], log=lambda name: tmp_path / f"{name}.log")
    assert worker.name == "worker"
    assert worker._environment["CUDA_VISIBLE_DEVICES"] == ""
