"""Jobs under any sequence of events: the sums are right and nobody's work is taken twice."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from core.kinds import COUNT, KNOWN, ShardKind
from core.layout import child_part
from core.retry import Failure
from core.states import ENDED_JOBS, ENDED_SHARDS, JobMoves, JobState, ShardState
from core.work import Counts, Directive, Hold, ShardResult, WorkUnit
from store import jobs, leases, profiles, settling
from store.artefacts import part_of
from store.planning import NewShard
from store.tables import Job, Shard, ShardDependency
from tests.bench import OFFER, Bench, rows_artefact
from tests.databases import NewDatabase

JOB = "job"
MAX_TRIES = 2
USED = (ShardKind.INFER, ShardKind.PROBE, ShardKind.STITCH)
HAVE_ROWS = {ShardState.DONE, ShardState.FAILED, ShardState.COMMITTED}
INFERS_ONLY, MEDIA_ONLY = "infers only", "media only"
_EXAMPLES = {"sqlite": 20, "postgresql": 6}  # as many as their time is worth


class JobMachine(RuleBasedStateMachine):
    """One job on a real database; `new_bench` is set by the test.

    What should be is tracked here only from the answers to the calls.
    """

    new_bench: Callable[[], Bench]

    @initialize(
        sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3),
        probes=st.lists(st.integers(1, 3), max_size=2),
        joins=st.lists(st.sets(st.integers(1, 6), max_size=3), max_size=2),
    )
    def begin(self, sizes: list[int], probes: list[int], joins: list[set[int]]) -> None:
        """Some shards infer, some probe, and some join what those and others have made."""
        self.bench = self.new_bench()
        self.bench.job(JOB, sizes)
        for seq, items in enumerate(probes, len(sizes)):
            self.bench.shard(JOB, seq=seq, stop=items, kind=ShardKind.PROBE)
        for seq, needs in enumerate(joins, len(sizes) + len(probes)):
            waits = {"kind": ShardKind.STITCH, "state": ShardState.WAITING}
            joint = self.bench.shard(JOB, seq=seq, **waits)
            for needed in needs & set(range(1, joint)):
                self.bench.needs(joint, needed)
        self.items = sum(sizes) + sum(probes)
        self.children: Counter[int] = Counter()
        self.made: dict[int, int] = {}  # the turn in which a shard got its part
        self.turns = itertools.count()
        self.sent: list[Hold] = []
        self.holders: dict[Hold, str] = {}
        self.attempts: dict[int, int] = {}
        self.parts: dict[int, Hold] = {}
        self.moves = 0  # from one profile to the next
        self.numbers: dict[Hold, int] = {}  # of the profile that an attempt runs under

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.db.close()

    def _state(self) -> JobState:
        return self.bench.read_job(JOB).state

    @rule(limit=st.integers(1, 3), revive=st.booleans(), deliver=st.booleans())
    def queue(self, limit: int, revive: bool, deliver: bool) -> None:
        self.bench.clock.now += 100.0
        if revive:
            self.bench.db.write(lambda s: jobs.resume(s, JOB))
            self._reopen()
        if revive or deliver:
            self.bench.freeze(JOB)
        by_kind = {kind: self.bench.queue(JOB, limit, kind=kind) for kind in USED}
        assert not by_kind[ShardKind.INFER] or self.bench.read_job(JOB).profile is not None
        holds = [hold for queued in by_kind.values() for hold in queued]
        assert not holds or self._state() is JobState.RUNNING
        for hold in holds:
            assert hold.attempt > self.attempts.get(hold.shard, 0)
            assert not any(held.shard == hold.shard for held in self.holders)
        self.sent += holds
        for hold in holds if deliver else ():
            self._deliver(hold, "w1")

    def _reopen(self) -> None:
        before = self._state()
        count = self.bench.db.write(lambda s: jobs.reopen(s, JOB, now=self.bench.clock.now))
        assert (count is not None) == (before in ENDED_JOBS - {JobState.SUCCEEDED})

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), worker=st.sampled_from(["w1", "w2", INFERS_ONLY, MEDIA_ONLY]))
    def deliver(self, data: st.DataObject, worker: str) -> None:
        """A message arrives, maybe for the second time."""
        self._deliver(data.draw(st.sampled_from(self.sent)), worker)

    def _deliver(self, hold: Hold, worker: str) -> None:
        kinds = {ShardKind.INFER} if worker == INFERS_ONLY else KNOWN
        offers = () if worker == MEDIA_ONLY else (OFFER,)
        unit = self.bench.claim(hold, worker, kinds=kinds, offers=offers)
        if isinstance(unit, WorkUnit):
            assert unit.kind in kinds
            assert offers or unit.kind is not ShardKind.INFER
            assert self.holders.setdefault(hold, worker) == worker
            assert self.numbers.setdefault(hold, self.moves) == unit.profile_number
            assert [held.shard for held in self.holders].count(hold.shard) == 1

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), event=st.sampled_from([*Failure, "commit", "hand_back", "ask"]))
    def work(self, data: st.DataObject, event: str) -> None:
        """A worker says something about a shard that it holds, or held once."""
        hold = data.draw(st.sampled_from([*self.holders, *self.holders, *self.sent]))
        if event == "commit":
            self._commit(data, hold)
        elif event == "ask":
            self._ask(hold)
        else:
            is_held = self.holders.pop(hold, None) is not None
            if event == "hand_back":
                assert self.bench.hand_back(hold) == is_held
            else:
                assert self.bench.fail(hold, Failure(event), max_tries=MAX_TRIES) == is_held

    def _commit(self, data: st.DataObject, hold: Hold) -> None:
        shard = self.bench.read_shard(hold.shard)
        items = shard.items if shard.kind in COUNT else 0
        bad = data.draw(st.integers(0, items))
        skipped = data.draw(st.integers(0, items - bad))
        if shard.kind == ShardKind.PROBE:
            handed_on = data.draw(st.integers(0, items - bad - skipped))
            counts = Counts(items - bad - skipped - handed_on, skipped, bad)
            done = self._commit_probe(hold, counts, handed_on)
        else:
            counts = Counts(items - bad - skipped, skipped, bad)
            done = self.bench.end(hold, ShardResult((rows_artefact(hold),), counts))
        # A repeated commit is a success as long as nobody has made another part since.
        is_held = self.holders.pop(hold, None) is not None
        assert done == (is_held or self.parts.get(hold.shard) == hold)
        if is_held:
            self._has_part(hold)

    def _has_part(self, hold: Hold) -> None:
        self.parts[hold.shard] = hold
        self.made[hold.shard] = next(self.turns)

    def _commit_probe(self, hold: Hold, counts: Counts, handed_on: int) -> bool:
        """A probe hands items on to a child, and a joint that its first commit planned waits."""
        name = part_of(self.bench.read_shard(hold.shard))
        number = self.children[hold.shard] + 1
        more = NewShard(ShardKind.INFER, "detect", "k", 0, 5, items=handed_on)
        joint = NewShard(
            ShardKind.STITCH, "media", "k", 0, 0, needs=(child_part(name, number), name)
        )
        result = ShardResult((rows_artefact(hold),), counts)
        done = self.bench.end(hold, result, {0: joint, number: more} if handed_on else {})
        if hold in self.holders and handed_on:
            self.children[hold.shard] = number
        return done

    def _ask(self, hold: Hold) -> None:
        """A worker does as the database tells it."""
        progress = {hold: leases.Progress(0, moved=True)}
        now = self.bench.clock.now
        directive = self.bench.db.write(
            lambda s: leases.renew(s, progress, now=now, lease_seconds=30)
        )[hold]
        assert (directive is Directive.STALE) == (hold not in self.holders)
        if directive is Directive.CANCEL:
            self.bench.db.write(lambda s: leases.cancel(s, hold, now=now))
            del self.holders[hold]

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from([*self.parts.values(), *self.sent]))
        is_committed = self.bench.read_shard(hold.shard).state is ShardState.COMMITTED
        is_last = self.parts.get(hold.shard) == hold
        assert self.bench.publish(hold) == (is_committed and is_last)

    @precondition(lambda self: len(self.sent) > 1)
    @rule(order=st.sampled_from(["pause", "cancel", "fail"]))
    def steer(self, order: str) -> None:
        now = self.bench.clock.now
        if order == "pause":
            self.bench.db.write(lambda s: jobs.pause(s, JOB, now=now))
        else:
            move = JobMoves.CANCEL if order == "cancel" else JobMoves.FAIL
            self.bench.db.write(lambda s: jobs.stop(s, JOB, move, now=now))

    @precondition(lambda self: self.sent)
    @rule()
    def reprofile(self) -> None:
        """Somebody moves what is left of the job to what is offered now."""
        job = self.bench.read_job(JOB)
        left = set(self.bench.states(JOB)) & {"waiting", "pending", "queued", "running"}
        may = job.state in {JobState.RUNNING, JobState.PAUSED} and bool(left)
        assert self.bench.leave_profile(JOB) == may
        self.moves += may and job.profile is not None
        # What needs no engine stays queued: it has no part in the move.
        queued = (Shard.state == ShardState.QUEUED, Shard.kind == ShardKind.INFER)
        left_over = self.bench.db.read(lambda s: s.query(Shard).where(*queued).count())
        assert not may or not left_over

    @precondition(lambda self: self.sent)
    @rule()
    def settle(self) -> None:
        """What the scheduler does, without the files."""
        now = self.bench.clock.now
        self.bench.db.write(settling.unblock)
        self.bench.db.write(lambda s: settling.call_off_unstarted(s, JOB, now=now))
        for shard in self.bench.db.read(settling.without_tombstone):
            hold = Hold(shard.id, shard.attempt)
            assert self._bury(hold)
            self._has_part(hold)
            assert hold not in self.sent
        for job in self.bench.db.read(settling.at_their_end):
            assert not self.holders
            move = {
                JobState.CANCELLING: JobMoves.END_CANCELLED,
                JobState.FAILING: JobMoves.END_FAILED,
            }.get(job.state)
            if move is None:
                tally = self.bench.tally(JOB)
                bad = tally.quarantined or tally.shards.get(ShardState.FAILED)
                move = JobMoves.END_PARTIAL if bad else JobMoves.SUCCEED
            self._end(job, move)

    def _bury(self, hold: Hold) -> bool:
        return self.bench.db.write(lambda s: settling.bury(s, hold, digest="t", size=1))

    def _end(self, job: Job, move: object) -> None:
        moves = [m for m in vars(JobMoves).values() if m == move]
        assert self.bench.db.write(lambda s: settling.end(s, job, moves[0], now=1.0))

    @invariant()
    def everything_adds_up(self) -> None:
        if not hasattr(self, "bench"):
            return
        job, tally, shards, needs = self.bench.db.read(
            lambda s: (
                job := jobs.get_job(s, JOB),
                jobs.tally(s, [job])[JOB],
                s.query(Shard).all(),
                [(pair.shard_id, pair.needs_id) for pair in s.query(ShardDependency).all()],
            )
        )
        self._check_family(job.state, shards, needs)
        self._check_sums(job.state, tally)
        assert len(job.past_profiles) == self.moves
        for shard in shards:
            self._check_shard(shard)
        assert self.holders == {
            Hold(shard.id, shard.attempt): shard.worker_id
            for shard in shards
            if shard.state is ShardState.RUNNING
        }

    def _check_sums(self, state: JobState, tally: jobs.Tally) -> None:
        settled = tally.succeeded + tally.skipped + tally.quarantined
        assert tally.listed == self.items
        assert tally.listed == settled + tally.cancelled + tally.pending
        assert min(tally.succeeded, tally.quarantined, tally.cancelled, tally.pending) >= 0
        if state in ENDED_JOBS:
            assert tally.pending == 0
            assert set(tally.shards) <= ENDED_SHARDS
        if state is JobState.SUCCEEDED:
            assert tally.succeeded + tally.skipped == self.items
            assert ShardState.FAILED not in tally.shards
        if state is JobState.PARTIAL:
            assert tally.quarantined or tally.shards[ShardState.FAILED]
            assert tally.cancelled == 0

    def _check_shard(self, shard: Shard) -> None:
        assert shard.attempt >= self.attempts.get(shard.id, 0)
        self.attempts[shard.id] = shard.attempt
        assert 0 <= shard.tries <= MAX_TRIES
        settled = shard.succeeded + shard.skipped + shard.quarantined
        assert settled <= shard.items
        if shard.kind in COUNT and shard.state in {
            ShardState.DONE,
            ShardState.FAILED,
            ShardState.COMMITTED,
        }:
            assert settled == shard.items
        assert shard.profile_number <= self.moves
        made = profiles.part_profiles(shard)
        part = self.parts.get(shard.id)
        if part in self.numbers:  # a tombstone's attempt never ran
            assert max(made) == self.numbers[part]
        assert all(made[number] for number in list(made)[:-1])
        is_running = shard.state is ShardState.RUNNING
        assert (shard.worker_id is not None, shard.lease_until is not None) == (is_running,) * 2

    def _check_family(
        self, state: JobState, shards: Sequence[Shard], needs: Sequence[tuple[int, int]]
    ) -> None:
        """Nobody is under way before what it needs has ended; each child is there once."""
        by_id = {shard.id: shard for shard in shards}
        under_way = {ShardState.PENDING, ShardState.QUEUED, ShardState.RUNNING}
        for shard, needed in needs:
            assert by_id[shard].state not in under_way or by_id[needed].state in ENDED_SHARDS
            is_whole = state in {JobState.SUCCEEDED, JobState.PARTIAL}
            if is_whole and by_id[shard].state is ShardState.DONE:
                assert self.made[shard] > self.made.get(needed, -1)  # nothing stale is left
        names = {part_of(parent): self.children[parent.id] for parent in shards}
        expected = [
            child_part(parent, number)
            for parent, count in names.items()
            for number in range(count + 1)
            if count
        ]
        assert sorted(expected) == sorted(shard.part for shard in shards if shard.part)


def test_the_sums_are_right_whatever_happens(new_database: NewDatabase, tmp_path: Path) -> None:
    numbers = itertools.count()

    def new_bench() -> Bench:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return Bench(new_database(folder), folder)

    class Machine(JobMachine):
        pass

    Machine.new_bench = staticmethod(new_bench)
    run_machine(
        Machine,
        settings=settings(
            max_examples=_EXAMPLES[new_database(tmp_path).partition(":")[0]],
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
