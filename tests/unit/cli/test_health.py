import socket
import time

import pytest

from store import processes
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta


def beat(bench: Bench, role: str, *, host: str, ago: float = 0.0) -> None:
    heartbeat = processes.Heartbeat(f"{role}-{host}", role, host, 7, "0")
    bench.db.write(lambda s: processes.beat(s, heartbeat, now=time.time() - ago))


def test_a_process_of_this_host_that_was_heard_of_is_healthy(
    bench: Bench, regatta: Regatta
) -> None:
    beat(bench, "worker", host=socket.gethostname())
    result = regatta("health", "worker")
    assert result.exit_code == 0
    assert "worker 7" in result.stderr
    assert regatta("health").exit_code == 0
    assert regatta("health", "scheduler").exit_code == 1


@pytest.mark.parametrize(("host", "ago"), [("elsewhere", 0.0), (socket.gethostname(), 60.0)])
def test_one_of_another_host_or_a_silent_one_is_not(
    bench: Bench, regatta: Regatta, host: str, ago: float
) -> None:
    beat(bench, "worker", host=host, ago=ago)
    result = regatta("health", "worker")
    assert result.exit_code == 1
    assert "no worker is alive" in result.stderr
