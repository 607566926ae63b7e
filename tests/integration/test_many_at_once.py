"""Dispatchers, workers and somebody who pauses, all at once on one database."""

import random
import threading
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from core.kinds import KNOWN
from core.retry import Failure
from core.states import JobState, ShardState
from core.work import Directive, Hold, WorkUnit
from store import jobs, leases, planning, rates, settling
from tests.bench import Bench

JOB = "a"
SIZES = [3] * 12
WORKERS = 4
DEADLINE = 120.0


class Crowd:
    """What the threads share: messages that may come twice, and who made each shard's result."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.messages: list[Hold] = []
        self.queued: Counter[Hold] = Counter()
        self.made: Counter[int] = Counter()

    def dispatch(self) -> None:
        while not self.over.is_set():
            holds = self.bench.queue(JOB, 2)
            with self.lock:
                self.queued.update(holds)
                self.messages += [*holds, *holds]

    def work(self, name: str) -> None:
        rng = random.Random(name)
        while not self.over.is_set():
            with self.lock:
                rng.shuffle(self.messages)
                hold = self.messages.pop() if self.messages else None
            if hold is None:
                self.over.wait(0.002)
            elif isinstance(self.bench.claim(hold, name), WorkUnit):
                self._run(hold, rng)

    def _run(self, hold: Hold, rng: random.Random) -> None:
        bench, now = self.bench, self.bench.clock.now
        step = {hold: leases.Progress(1, moved=True)}
        told = bench.db.write(lambda s: leases.renew(s, step, now=now, lease_seconds=30))[hold]
        if told is Directive.HAND_BACK or rng.random() < 0.2:
            assert bench.hand_back(hold)
        elif rng.random() < 0.2:
            assert bench.fail(hold, Failure.LEASE_LOST, max_tries=1000)
            bench.db.write(lambda s: settling.call_off_unstarted(s, JOB, now=now))
        else:
            assert bench.commit(hold)
            with self.lock:
                self.made[hold.shard] += 1
            bench.db.write(lambda s: rates.note_rate(s, "d", "e", 1.0, now=now))
            assert bench.publish(hold)

    def steer(self) -> None:
        db = self.bench.db
        while not self.over.is_set():
            done = self.made.total()
            if db.write(lambda s: jobs.pause(s, JOB, now=self.bench.clock.now)):
                # A pause takes back whatever was queued when it happened.
                assert ShardState.QUEUED.value not in self.bench.states(JOB)
                assert db.write(lambda s: jobs.resume(s, JOB))
            while self.made.total() == done and not self.over.wait(0.002):
                pass  # nobody gets on with anything under one pause after the other

    def settle(self) -> None:
        while not self.over.is_set():
            self.bench.clock.now += 100.0  # what was given back is due again
            db = self.bench.db
            assert (
                db.write(
                    lambda s: planning.claim_plan(s, "s", kinds=KNOWN, now=1.0, lease_seconds=1)
                )
                is None
            )
            if set(self.bench.states(JOB)) == {ShardState.DONE.value}:
                self.over.set()
            self.over.wait(0.01)


def test_everybody_at_once(bench: Bench) -> None:
    bench.job(JOB, SIZES)
    crowd = Crowd(bench)
    turns = [crowd.dispatch, crowd.dispatch, crowd.steer, crowd.settle]
    with ThreadPoolExecutor(WORKERS + len(turns)) as pool:
        futures = [pool.submit(turn) for turn in turns]
        futures += [pool.submit(crowd.work, f"w{number}") for number in range(WORKERS)]
        wait(futures, DEADLINE, FIRST_EXCEPTION)
        crowd.over.set()
        for future in futures:
            future.result(DEADLINE)
    assert set(crowd.queued.values()) == {1}, "an attempt was queued twice"
    assert sorted(crowd.made.values()) == [1] * len(SIZES)
    tally = bench.tally(JOB)
    assert (tally.succeeded, tally.pending, tally.quarantined) == (sum(SIZES), 0, 0)
    assert bench.read_job(JOB).state is JobState.RUNNING
