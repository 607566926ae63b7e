from collections.abc import Callable, Iterator

import pytest
import redis
from kombu.connection import Connection

from config.broker import celery_settings
from core.errors import RetryableError
from core.kinds import ShardKind
from core.messages import ShardMessage
from core.profile import EngineOffer
from core.work import Hold, WorkUnit
from scheduler.dispatch import Dispatcher
from scheduler.doorbell import Doorbell
from store import jobs, leases
from tests.bench import Bench

NewDispatcher = Callable[[], Dispatcher]


@pytest.fixture
def new_dispatcher(bench: Bench, broker: str) -> Iterator[NewDispatcher]:
    doorbells = []

    def new() -> Dispatcher:
        doorbells.append(Doorbell(celery_settings(broker)))
        return Dispatcher(bench.db, doorbells[-1], worker_ttl=30, republish_seconds=10)

    yield new
    for doorbell in doorbells:
        doorbell.close()


@pytest.fixture
def dispatcher(new_dispatcher: NewDispatcher) -> Dispatcher:
    return new_dispatcher()


@pytest.fixture
def read(broker: str) -> Callable[..., list[Hold]]:
    """Takes up to `limit` messages out of a queue."""

    def take(limit: int = 1000, queue: str = "detect", version: int = 1) -> list[Hold]:
        found: list[Hold] = []
        with Connection(broker) as connection, connection.SimpleQueue(queue) as messages:
            while len(found) < limit:
                try:
                    message = messages.get(block=False)
                except messages.Empty:
                    break
                message.ack()
                assert message.headers["task"] == "regatta.run_shard"
                assert message.payload[0][0]["version"] == version
                wire = ShardMessage.from_json(message.payload[0][0])
                found.append(Hold(wire.shard, wire.attempt))
        return found

    return take


Read = Callable[..., list[Hold]]


def test_nothing_is_published_without_a_worker(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    bench.job("a", [1, 1])
    assert dispatcher.tick() == 0
    bench.worker("draining", draining=True)
    bench.worker("other", queues=("media",))
    bench.worker("unsuited", offers=(EngineOffer("null", "2", "cpu-test", "fp32"),))
    assert dispatcher.tick() == 0
    assert bench.states("a") == ["pending", "pending"]
    assert read() == []


def test_a_worker_that_fell_silent_gets_nothing_more(bench: Bench, dispatcher: Dispatcher) -> None:
    bench.job("a", [1])
    bench.worker("w")
    bench.clock.now += 30
    assert dispatcher.tick() == 0


def test_the_queue_stays_shallow(bench: Bench, dispatcher: Dispatcher, read: Read) -> None:
    bench.job("a", [1] * 20)
    bench.worker("w", slots=2)
    assert dispatcher.tick() == 4
    assert dispatcher.tick() == 0
    first, *rest = read()
    assert len(rest) == 3
    assert isinstance(bench.claim(first), WorkUnit)
    assert dispatcher.tick() == 0
    bench.commit(first)
    assert dispatcher.tick() == 1
    assert [bench.read_shard(hold.shard).seq for hold in [first, *rest, *read()]] == [0, 1, 2, 3, 4]


def test_slots_are_shared_by_priority(bench: Bench, dispatcher: Dispatcher, read: Read) -> None:
    bench.job("low", [1] * 50, created_at=1.0)
    bench.job("high", [1] * 50, created_at=2.0, priority=2)
    bench.worker("w", slots=5)
    assert dispatcher.tick() == 10
    jobs_ = [bench.read_shard(hold.shard).job_id for hold in read()]
    assert (jobs_.count("low"), jobs_.count("high")) == (2, 8)


def test_a_job_that_comes_later_gets_the_next_slots(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    bench.job("big", [1] * 50)
    bench.worker("w", slots=2)
    dispatcher.tick()
    bench.job("small", [1])
    hold = read(1)[0]
    bench.claim(hold)
    bench.commit(hold)
    dispatcher.tick()
    assert bench.states("small") == ["queued"]


def test_a_job_that_comes_later_need_not_wait_for_what_is_queued(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    bench.job("big", [1] * 50)
    bench.worker("w", slots=2)
    dispatcher.tick()
    *running, _, last = read()
    for hold in running:
        bench.claim(hold)
    bench.job("small", [1], created_at=bench.clock.now + 1)
    bench.job("weak", [1], created_at=bench.clock.now + 2, priority=-5)
    assert dispatcher.tick() == 0
    assert bench.states("big")[:5] == ["running", "running", "queued", "pending", "pending"]
    assert dispatcher.tick() == 1
    assert bench.states("small") == ["queued"]
    assert isinstance(bench.claim(last), leases.Refusal)
    assert dispatcher.tick() == 0  # what is left belongs to its job
    assert bench.states("big").count("queued") == 1
    assert bench.states("weak") == ["pending"]


def test_a_changed_priority_counts_for_the_next_slots(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    bench.job("a", [1] * 50)
    bench.job("b", [1] * 50)
    bench.worker("w", slots=2)
    dispatcher.tick()
    assert bench.db.write(lambda s: jobs.set_priority(s, "b", 5))
    for hold in read():
        bench.claim(hold)
        bench.commit(hold)
    dispatcher.tick()
    assert bench.states("b").count("queued") == 3


def test_a_job_has_no_more_out_than_workers_that_suit_it(
    bench: Bench, dispatcher: Dispatcher
) -> None:
    other = EngineOffer("null", "2", "cpu-test", "fp32")
    bench.job("a", [1] * 50)
    bench.worker("suited", slots=1)
    bench.worker("not", slots=10, offers=(other,))
    assert dispatcher.tick() == 2


def test_a_flushed_queue_is_filled_again(
    bench: Bench, dispatcher: Dispatcher, read: Read, broker: str
) -> None:
    bench.job("a", [1] * 4)
    bench.worker("w", slots=2)
    dispatcher.tick()
    before = read(1)
    client = redis.Redis.from_url(broker.replace("redis+socket", "unix"))
    client.flushall()
    client.close()
    bench.clock.now += 9
    assert dispatcher.tick() == 0
    bench.clock.now += 1
    assert dispatcher.tick() == 2  # as many as there are slots: the rest next time
    bench.clock.now += 1
    assert dispatcher.tick() == 2
    found = read()
    assert sorted(hold.shard for hold in found) == [1, 2, 3, 4]
    assert set(before) <= set(found)  # under the same attempt: a copy that turns up is harmless
    assert all(isinstance(bench.claim(hold), WorkUnit) for hold in found)


def test_a_backlog_breeds_no_copies(bench: Bench, dispatcher: Dispatcher, read: Read) -> None:
    bench.job("a", [1] * 4)
    bench.worker("w", slots=2)
    dispatcher.tick()
    for _ in range(10):
        bench.clock.now += 11
        bench.worker("w", slots=2)
        assert dispatcher.tick() == 0
    assert len(read()) == 4


def test_only_what_is_lacking_is_published_again(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    bench.job("a", [1] * 4)
    bench.worker("w", slots=2)
    dispatcher.tick()
    read(1)  # and the worker dies with it
    bench.clock.now += 11
    assert dispatcher.tick() == 1
    assert dispatcher.tick() == 0
    assert len(read()) == 4


def test_messages_of_a_paused_job_are_dropped(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    bench.job("a", [1] * 2)
    bench.job("b", [1] * 2)
    bench.worker("w", slots=1)
    dispatcher.tick()
    bench.db.write(lambda s: jobs.pause(s, "a", now=bench.clock.now))
    assert dispatcher.tick() == 1  # its slots go to the other at once
    claims = {hold: bench.claim(hold) for hold in read()}
    assert [isinstance(unit, WorkUnit) for unit in claims.values()].count(True) == 2
    assert bench.states("a") == ["pending", "pending"]
    assert bench.states("b") == ["running", "running"]
    bench.db.write(lambda s: jobs.resume(s, "a"))
    bench.commit(next(hold for hold, unit in claims.items() if isinstance(unit, WorkUnit)))
    assert dispatcher.tick() == 1
    [again] = read()
    assert isinstance(bench.claim(again), WorkUnit)


def test_two_dispatchers_never_queue_a_shard_twice(
    bench: Bench, new_dispatcher: NewDispatcher, read: Read
) -> None:
    bench.job("a", [1] * 12)
    bench.worker("w", slots=2)
    one, two = new_dispatcher(), new_dispatcher()
    assert one.tick() + two.tick() == 4
    found = read()
    assert len(set(found)) == len(found) == 4
    bench.clock.now += 10
    assert one.tick() + two.tick() == 4
    assert sorted(read(), key=lambda h: h.shard) == sorted(found, key=lambda h: h.shard)


def test_what_could_not_be_published_is_published_later(
    bench: Bench, dispatcher: Dispatcher, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("a", [1] * 2)
    bench.worker("w", slots=2)

    def away(*_: object) -> None:
        raise RetryableError("the broker is away")

    with monkeypatch.context() as patch:
        patch.setattr(Doorbell, "ring", away)
        with pytest.raises(RetryableError):
            dispatcher.tick()
    assert bench.states("a") == ["queued", "queued"]
    bench.clock.now += 10
    assert dispatcher.tick() == 2
    assert len(read()) == 2


MEDIA = ("detect", "media")
INFERS = {"kinds": (ShardKind.INFER,), "queues": MEDIA}


def test_a_kind_goes_to_the_queue_once_somebody_lives_who_knows_it(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    bench.job("a", profile=None)
    bench.shard("a", seq=0, kind=ShardKind.RENDER)
    bench.worker("infers", **INFERS)
    assert dispatcher.tick() == 0
    bench.worker("elsewhere", kinds=(ShardKind.RENDER,))
    assert dispatcher.tick() == 0
    bench.worker("renders", kinds=(ShardKind.RENDER,), queues=("media",), offers=())
    assert dispatcher.tick() == 1
    [hold] = read(queue="media", version=2)
    assert isinstance(bench.claim(hold, kinds={ShardKind.RENDER}, offers=()), WorkUnit)


def test_what_only_the_wrong_workers_are_left_for_is_taken_back(
    bench: Bench, dispatcher: Dispatcher, read: Read
) -> None:
    """Queued for a worker that died, it neither goes round for ever nor blocks the queue."""
    bench.job("a")
    for seq in range(4):
        bench.shard("a", seq=seq, kind=ShardKind.PROBE)
    renders = {"kinds": (ShardKind.RENDER,), "queues": MEDIA}
    bench.worker("probes", slots=2, kinds=(ShardKind.PROBE,), queues=MEDIA)
    assert dispatcher.tick() == 4
    first, *_ = read(queue="media", version=2)
    assert bench.claim(first, kinds={ShardKind.RENDER}) == "unknown_kind"
    bench.clock.now += 31  # nobody has heard of `probes` for too long
    bench.worker("renders", slots=2, **renders)
    bench.job("b")
    bench.shard("b", seq=0, kind=ShardKind.RENDER)
    dispatcher.tick()
    assert bench.states("a").count("pending") >= 3
    bench.clock.now += 11
    bench.worker("renders", slots=2, **renders)
    dispatcher.tick()
    dispatcher.tick()
    assert bench.states("a") == ["pending"] * 4
    [hold] = read(queue="media", version=2)
    assert bench.read_shard(hold.shard).job_id == "b"


def test_kinds_of_one_job_share_its_slots(bench: Bench, dispatcher: Dispatcher, read: Read) -> None:
    for job in ("a", "b"):
        bench.job(job)
        for seq in range(10):
            kind = ShardKind.RENDER if seq % 2 else ShardKind.COMPACT
            bench.shard(job, seq=seq, kind=kind)
    bench.worker("w", slots=4, queues=MEDIA)
    assert dispatcher.tick() == 8
    jobs_ = [bench.read_shard(hold.shard).job_id for hold in read(queue="media", version=2)]
    assert (jobs_.count("a"), jobs_.count("b")) == (4, 4)


def test_no_more_of_a_kind_is_out_than_those_who_know_it_can_take(
    bench: Bench, dispatcher: Dispatcher
) -> None:
    bench.job("a")
    for seq in range(20):
        bench.shard("a", seq=seq, kind=ShardKind.RENDER)
    bench.worker("infers", slots=8, **INFERS)
    bench.worker("renders", slots=1, kinds=(ShardKind.RENDER,), queues=MEDIA)
    assert dispatcher.tick() == 2
    assert dispatcher.tick() == 0
