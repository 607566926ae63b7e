import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.child import Child
from cli.stack.filelock import FileLock, is_held
from cli.stack.home import StackState, read_state
from cli.stack.processid import ProcessId

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('ready', flush=True); time.sleep(600)"
)


def child(tmp_path: Path, *command: str) -> Child:
    return Child("c", command, {}, tmp_path / "c.log")


def await_death(process: Child, now: float) -> tuple[int, int]:
    while (death := process.died(now)) is None:
        pass
    return death


def test_restarts_come_later_each_time_it_dies_young(tmp_path: Path) -> None:
    process = child(tmp_path, "/bin/sh", "-c", "echo hello; exit 3")
    process.start(0.0)
    now, pauses = 0.0, []
    for _ in range(6):
        assert await_death(process, now)[1] == 3
        pause = 0.0
        while not process.restart_if_due(now + pause):
            pause += 0.25
        now += pause
        pauses.append(pause)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    await_death(process, now + 31)  # it had lived long: the pauses begin anew
    assert process.restart_if_due(now + 31.5)
    await_death(process, now + 32)
    assert (tmp_path / "c.log").read_text() == "hello\n" * 8


def test_a_stubborn_process_is_killed(tmp_path: Path) -> None:
    process = child(tmp_path, sys.executable, "-c", STUBBORN)
    process.start(0.0)
    while "ready" not in (tmp_path / "c.log").read_text():
        pass
    identity = process.identity
    process.terminate()
    assert process.await_end(0.05) == -signal.SIGKILL
    assert identity is not None
    assert not identity.lives
    process.terminate()
    assert process.await_end(1.0) is None
    assert process.identity is None


MUTE = (
    "import faulthandler, os, signal, sys, time\n"
    "faulthandler.register(signal.SIGUSR2, file=sys.stderr)\n"
    "def stuck(): time.sleep(600)\n"
    "os.write(int(os.environ['REGATTA_HEARTBEAT_FD']), b'.')\n"
    "print('ready', flush=True); stuck()"
)


def test_a_process_that_falls_silent_shows_its_stacks_and_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "c.log"
    process = Child("c", [sys.executable, "-c", MUTE], {}, log, hang_seconds=5.0)
    process.start(0.0)
    while "ready" not in log.read_text():
        assert not process.end_if_hung(100.0)  # starting may take long
    assert not process.end_if_hung(100.0)
    assert not process.end_if_hung(104.0)
    assert process.end_if_hung(105.0)
    while "in stuck" not in log.read_text():
        assert not process.end_if_hung(106.0)
        assert process.died(106.0) is None
    assert not process.end_if_hung(107.0)
    assert await_death(process, 107.0)[1] == -signal.SIGKILL
    assert process.restart_if_due(108.0)
    assert not process.end_if_hung(300.0)
    process.kill()
    await_death(process, 300.0)


def test_one_that_never_shows_life_is_killed_in_the_end(tmp_path: Path) -> None:
    process = Child("c", ["/bin/sleep", "600"], {}, tmp_path / "c.log", hang_seconds=5.0)
    process.start(0.0)
    assert not process.end_if_hung(899.0)
    assert process.end_if_hung(900.0)
    process.kill()
    await_death(process, 900.0)


def test_it_has_a_process_group_of_its_own(tmp_path: Path) -> None:
    process = child(tmp_path, "/bin/sleep", "600")
    process.start(0.0)
    assert process.identity is not None
    assert os.getpgid(process.identity.pid) == process.identity.pid
    process.kill()
    await_death(process, 0.0)
    process.give_up()
    assert not process.is_kept


def test_a_large_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.stack.child._LARGEST_LOG", 3)
    (tmp_path / "c.log").write_text("old line\n")
    process = child(tmp_path, "/bin/true")
    process.start(0.0)
    await_death(process, 0.0)
    assert (tmp_path / "c.log").read_text() == ""
    assert (tmp_path / "c.log.1").read_text() == "old line\n"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_is_not_taken_for_another(sleeper: subprocess.Popen[bytes]) -> None:
    identity = ProcessId.of(sleeper.pid)
    assert identity is not None
    assert identity.lives
    earlier = ProcessId(identity.pid, identity.started - 1, identity.boot)
    assert not earlier.lives
    earlier.end(0.0)
    assert not ProcessId(identity.pid, identity.started, "another boot").lives
    assert sleeper.poll() is None
    identity.end(0.05)
    assert not identity.lives
    assert sleeper.wait() == -signal.SIGKILL
    assert ProcessId.of(sleeper.pid) is None


def test_what_a_keeper_wrote_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    assert read_state(path) is None
    me = ProcessId(1, 2, "boot")
    state = StackState(me, ready=True, broker_url="redis://x", children={"worker": me})
    state.write(path)
    assert read_state(path) == state
    assert list(tmp_path.iterdir()) == [path]
    for broken in ("", "{", "[]", '{"keeper": 1}'):
        path.write_text(broken)
        assert read_state(path) is None


def test_locks(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as one, FileLock(path) as two:
        assert one.try_shared()
        assert two.try_shared()
        assert not is_held(path)
        assert not one.try_alone()
        two.release()
        assert one.try_alone()
        assert is_held(path)
        assert not two.try_shared()
    assert not is_held(path)
