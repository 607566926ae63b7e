"""`regatta worker` as it looks after its processes, and a worker that plain Celery starts."""

import os
import signal
from pathlib import Path

import pytest

from core.states import ShardState
from tests.acceptance.fleet import DEADLINE, Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import write_pictures
from tests.acceptance.terminal import Terminal
from worker.watchdog import EXIT_STALLED


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver's tool would list on a machine with two GPUs."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def pids(fleet: Fleet, number: int) -> dict[str, int]:
    """The workers' process numbers by the GPU that each is shown, once there are so many."""
    fleet.until(lambda: len(fleet.processes("worker")) == number, f"{number} workers live")
    return {told(p.pid, "CUDA_VISIBLE_DEVICES"): p.pid for p in fleet.processes("worker")}


def told(pid: int, name: str) -> str:
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(word.partition("=")[::2] for word in words)[name]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_each_gpu_has_a_worker_and_one_s_death_is_its_own(
    fleet: Fleet, two_gpus: None, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(workers=0)
    supervisor = fleet.start_program("regatta", "worker", "--queues", "detect", CORES="3")
    before = pids(fleet, 2)
    assert {gpu: told(pid, "REGATTA_CORES") for gpu, pid in before.items()} == {"0": "2", "1": "1"}
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    os.kill(before["0"], signal.SIGKILL)
    fleet.until(lambda: not is_alive(before["0"]), "the killed one is gone")
    fleet.open_gate()
    assert outcome(fleet, job) == undisturbed
    after = pids(fleet, 2)
    assert after["0"] != before["0"]
    assert after["1"] == before["1"]
    assert fleet.stop(supervisor) == 0
    assert not any(map(is_alive, after.values()))
    assert fleet.processes("worker") == []


def test_a_drain_hands_back_what_it_cannot_finish(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(workers=0)
    slow = {"STANDIN_SECONDS": "0.6", "DRAIN_SECONDS": "60"}
    supervisor = fleet.start_program("regatta", "worker", "--devices", "cpu", **slow)
    job = fleet.submit(pictures, model, batch_size=1)
    fleet.until(lambda: fleet.shards(job, ShardState.RUNNING), "a shard runs")
    supervisor.terminate()
    fleet.until(lambda: "running=" in fleet.log(supervisor), "the worker itself drains")
    assert fleet.stop(supervisor) == 130  # the second signal
    assert not fleet.shards(job, ShardState.RUNNING)
    undone = fleet.shards(job, ShardState.PENDING, ShardState.QUEUED)
    assert {shard.tries for shard in undone} == {0}
    fleet.start_worker()
    assert outcome(fleet, job) == undisturbed


def test_a_killed_supervisor_leaves_no_worker(fleet: Fleet) -> None:
    fleet.start_redis()
    supervisor = fleet.start_program("regatta", "worker", "--devices", "cpu")
    [pid] = pids(fleet, 1).values()
    fleet.kill(supervisor)
    fleet.until(lambda: not is_alive(pid), "its worker has ended")
    assert fleet.processes("worker") == []  # in order


def test_a_frozen_worker_is_replaced(fleet: Fleet) -> None:
    fleet.start_redis()
    supervisor = fleet.start_program("regatta", "worker", "--devices", "cpu", HANG_SECONDS="2")
    [pid] = pids(fleet, 1).values()
    os.kill(pid, signal.SIGUSR2)
    fleet.until(lambda: "lease_keeper.py" in fleet.log(supervisor), "a worker shows its stacks")
    assert is_alive(pid)
    os.kill(pid, signal.SIGSTOP)
    fleet.until(lambda: not is_alive(pid), "the frozen one is killed")
    assert "worker hangs" in fleet.log(supervisor)
    # Its row is dropped at once, so the one that is there is the new one's.
    fleet.until(lambda: {p.pid for p in fleet.processes("worker")} - {pid}, "there is a new one")
    assert fleet.stop(supervisor) == 0


def test_a_worker_in_which_nothing_moves_is_replaced(
    fleet: Fleet, tmp_path: Path, model: Path
) -> None:
    write_pictures(tmp_path / "data")
    fleet.start(workers=0)
    supervisor = fleet.start_program("regatta", "worker", "--devices", "cpu", STALL_SECONDS="2")
    fleet.close_gate()
    fleet.submit(tmp_path / "data", model)
    fleet.until(lambda: f"code={EXIT_STALLED}" in fleet.log(supervisor), "the stalled one ends")
    fleet.open_gate()
    fleet.until(lambda: "worker started again" in fleet.log(supervisor), "there is a new one")
    assert fleet.stop(supervisor) == 0


def test_models_are_warm_before_work_is_taken(fleet: Fleet, model: Path) -> None:
    terminal = Terminal(fleet)
    assert terminal.run("models", "add", "standin", model).code == 0
    fleet.start_redis()
    worker = fleet.start_program("regatta", "worker", "--devices", "cpu", "--models", "standin")
    fleet.until(lambda: "worker ready" in fleet.log(worker), "the worker is ready")
    log = fleet.log(worker)
    assert 0 < log.index("model warm") < log.index("worker ready")
    unknown = fleet.start_program("regatta", "worker", "--models", "standin,unheard-of")
    assert unknown.wait(DEADLINE) == 2
    assert "there is no model 'unheard-of'" in fleet.log(unknown)
    # Whoever starts workers in another way is told, too, and does not get one that never works.
    alone = fleet.start_worker(PRELOAD="unheard-of")
    assert alone.wait(DEADLINE) == 2
    assert "there is no model 'unheard-of'" in fleet.log(alone)


def test_what_no_worker_can_do_is_not_tried_for_ever(fleet: Fleet) -> None:
    fleet.start_redis()
    supervisor = fleet.start_program("regatta", "worker", "--devices", "cpu", ENGINES="no_engine")
    assert supervisor.wait(DEADLINE) == 2
    assert "the engine 'no_engine' cannot be imported" in fleet.log(supervisor)


def test_plain_celery_starts_a_whole_worker(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(workers=0)
    worker = fleet.start_program("celery", "-A", "worker.app", "worker", "-Q", "detect")
    assert outcome(fleet, fleet.submit(pictures, model)) == undisturbed
    [process] = fleet.processes("worker")
    assert (process.queues, process.slots) == (["detect"], 2)
    assert fleet.stop(worker) == 0
    assert fleet.processes("worker") == []
