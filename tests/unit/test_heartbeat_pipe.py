import os

import pytest

from core.heartbeat_pipe import HEARTBEAT_FD, HeartbeatWriter
from worker.watchdog import Watchdog


def test_beats_go_down_the_pipe_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there, here = os.pipe()
    monkeypatch.setenv(HEARTBEAT_FD, str(here))
    writer = HeartbeatWriter.of_this_process()
    assert HEARTBEAT_FD not in os.environ
    assert not os.get_inheritable(here)
    watchdog = Watchdog(list, stall_seconds=60.0, beat=writer.beat)
    watchdog.start()
    assert os.read(there, 1) == b"."  # at once, before the first look
    watchdog.close()
    for _ in range(70_000):  # more than a pipe holds: a supervisor that does not read
        writer.beat()
    os.close(there)
    writer.beat()  # nor is one that is gone anybody's trouble
    os.close(here)


def test_without_a_supervisor_there_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HEARTBEAT_FD, raising=False)
    HeartbeatWriter.of_this_process().beat()
