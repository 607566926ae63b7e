from collections.abc import Iterable
from dataclasses import replace

from core.profile import EngineOffer
from store import processes
from tests.bench import OFFER, Bench


def live(bench: Bench, role: str = "worker") -> list[str]:
    found = bench.db.read(lambda s: processes.live(s, role, now=bench.clock.now, within=10))
    return [process.id for process in found]


def test_a_worker_lives_as_long_as_its_heart_beats(bench: Bench) -> None:
    bench.worker("w1")
    bench.clock.now += 6
    bench.worker("w2")
    bench.worker("s1", role="scheduler", slots=0, queues=(), offers=())
    assert live(bench) == ["w1", "w2"]
    assert live(bench, "scheduler") == ["s1"]
    bench.clock.now += 4
    assert live(bench) == ["w2"]
    bench.worker("w1")
    assert live(bench) == ["w1", "w2"]


def test_a_heartbeat_says_what_has_changed(bench: Bench) -> None:
    other = EngineOffer("null", "2", "gpu-test", "fp16")
    bench.worker("w1")
    bench.clock.now += 1
    bench.worker("w1", draining=True, slots=3, queues=("media",), offers=(other, OFFER), pid=7)
    [row] = bench.db.read(lambda s: processes.live(s, "worker", now=bench.clock.now, within=10))
    assert (row.draining, row.slots, row.queues) == (True, 3, ["media"])
    assert (row.started_at, row.heartbeat_at, row.pid) == (1000.0, 1001.0, 1)
    assert processes.offers_of(row) == (other, OFFER)


def test_a_process_that_leaves_is_forgotten_at_once(bench: Bench) -> None:
    bench.worker("w1")
    for _ in range(2):
        bench.db.write(lambda s: processes.leave(s, "w1"))
    assert live(bench) == []


def test_a_process_that_is_known_to_have_died_is_forgotten(bench: Bench) -> None:
    bench.worker("w1", pid=1)
    bench.worker("w2", pid=1, host="other")
    bench.worker("w3", pid=2)
    assert bench.db.write(lambda s: processes.forget(s, "h", 1)) == 1
    assert live(bench) == ["w2", "w3"]


def test_a_draining_worker_lives_on(bench: Bench) -> None:
    heartbeat = processes.Heartbeat("w", "worker", "h", 1, "0", slots=2, queues=("detect",))
    leaving = processes.draining(heartbeat)
    assert leaving == replace(heartbeat, draining=True)
    bench.db.write(lambda s: processes.beat(s, leaving, now=bench.clock.now))
    assert live(bench) == ["w"]


def test_silent_processes_are_forgotten_after_a_day(bench: Bench) -> None:
    bench.worker("w1")

    def known(within: float) -> Iterable[str]:
        bench.db.write(lambda s: processes.forget_silent(s, now=bench.clock.now))
        return bench.db.read(
            lambda s: processes.alive_ids(s, ["w1", "w2"], now=bench.clock.now, within=within)
        )

    bench.clock.now += 24 * 3600
    assert known(within=1e6) == {"w1"}
    assert known(within=10) == set()
    bench.clock.now += 1
    assert known(within=1e6) == set()


def test_a_process_that_died_is_forgotten_by_its_number(bench: Bench) -> None:
    bench.worker("w1", pid=1)
    bench.worker("w2", pid=2)
    assert bench.db.write(lambda s: processes.forget(s, "elsewhere", 1)) == 0
    assert bench.db.write(lambda s: processes.forget(s, "h", 1)) == 1
    alive = bench.db.read(
        lambda s: processes.alive_ids(s, ["w1", "w2"], now=bench.clock.now, within=1.0)
    )
    assert alive == {"w2"}
