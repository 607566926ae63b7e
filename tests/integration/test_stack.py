"""The embedded stack with its real processes: who starts it, who stops it, what survives."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.stack.broker import answers
from cli.stack.embedded import Stack
from cli.stack.filelock import is_held
from cli.stack.home import StackState
from cli.stack.processid import ProcessId
from config.settings import Settings, load_settings
from core.errors import RegattaError
from store import processes
from store.database import Database

_PATIENCE_SECONDS = 90


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)  # other processes tell nobody when they change
    return True


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", drain_seconds=1)


@pytest.fixture
def stack(settings: Settings) -> Iterator[Stack]:
    stack = Stack(settings, print)
    with stack:
        yield stack
    assert stack.await_stop()


def test_the_first_starts_it_and_the_last_stops_it(settings: Settings) -> None:
    with Stack(settings, print) as first:
        state = first.ensure()
        assert set(state.children) == {"redis", "scheduler", "worker"}
        assert all(child.lives for child in state.children.values())
        assert answers(first.home.socket)
        assert first.home.socket.stat().st_mode & 0o077 == 0
        with Stack(settings, print) as second:
            assert second.ensure().keeper == state.keeper
            assert not second.await_stop()
        assert first.ensure().keeper == state.keeper
    assert first.await_stop()
    assert not any(child.lives for child in state.children.values())
    assert eventually(lambda: not state.keeper.lives)
    assert not first.home.state.exists()
    assert not first.home.runtime.exists()


def test_a_killed_keeper_is_replaced(stack: Stack) -> None:
    before = stack.ensure()
    os.kill(before.keeper.pid, signal.SIGKILL)
    assert eventually(lambda: not before.keeper.lives)
    after = stack.ensure()
    assert after.keeper != before.keeper
    assert answers(stack.home.socket)
    assert not any(child.lives for child in before.children.values())


def test_a_killed_keeper_leaves_nothing_running(settings: Settings) -> None:
    with Stack(settings, print) as stack:
        state = stack.ensure()
        os.kill(state.keeper.pid, signal.SIGKILL)
    assert eventually(lambda: not any(child.lives for child in state.children.values()))
    assert eventually(lambda: not is_held(stack.home.keeper_lock))


def test_what_dies_is_started_again(stack: Stack, settings: Settings) -> None:
    before = stack.ensure()
    db = Database(settings.database_url)
    worker = before.children["worker"].pid
    heartbeat = processes.Heartbeat(
        id="w", role=processes.WORKER, host=socket.gethostname(), pid=worker, version="0"
    )
    db.write(lambda s: processes.beat(s, heartbeat, now=db.now(s)))
    for child in ("redis", "worker"):
        os.kill(before.children[child].pid, signal.SIGKILL)

    def replaced() -> bool:
        now: StackState = stack.ensure()
        return all(
            name in now.children and now.children[name].pid != before.children[name].pid
            for name in ("redis", "worker")
        )

    assert eventually(replaced)
    assert eventually(lambda: answers(stack.home.socket))
    alive = db.read(lambda s: processes.alive_ids(s, ["w"], now=db.now(s), within=1e6))
    db.close()
    assert alive == set()


def test_killing_all_who_use_it_stops_it(settings: Settings) -> None:
    code = (
        "import regatta, time; from cli.stack.embedded import Stack\n"
        "from config.settings import load_settings\n"
        f"with Stack(load_settings(home={str(settings.home)!r}), lambda _: None) as stack:\n"
        "    print(stack.ensure().keeper.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        keeper = ProcessId.of(int(user.stdout.readline()))
        assert keeper is not None
        assert keeper.lives
        user.kill()
    assert eventually(lambda: not keeper.lives)
    assert not is_held(Stack(settings, print).home.keeper_lock)


def test_a_broker_of_ones_own_is_used(tmp_path: Path, broker: str) -> None:
    settings = load_settings(home=tmp_path / "home", drain_seconds=1, broker_url=broker)
    with Stack(settings, print) as stack:
        state = stack.ensure()
        assert set(state.children) == {"scheduler", "worker"}
        assert state.broker_url == broker
    assert stack.await_stop()


def test_what_keeps_it_from_starting_is_said(settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database at all, but long enough to look like one " * 20)
    settings = load_settings(home=settings.home, database_url=f"sqlite:///{broken}")
    with pytest.raises(RegattaError, match="the stack did not start") as caught:
        Stack(settings, print).__enter__()
    assert "not a database" in str(caught.value)
    assert str(settings.home / "logs" / "keeper.log") in str(caught.value.hint)
