import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

import store.database
from core.errors import RetryableError, UsageError
from core.kinds import ShardKind
from core.options import ModelRef
from store import jobs, models, queueing, rates
from store.database import Database
from store.tables import Rate, Shard
from tests.bench import MODEL, OPTIONS, Bench
from tests.databases import PostgresDatabases
from tests.faketime import FakeTime
from tests.postgres import PASSWORD, USER, PostgresServer

DEADLINE = 30.0


@pytest.fixture
def bench(postgres_bench: Bench) -> Bench:
    return postgres_bench


@pytest.fixture
def db(bench: Bench) -> Iterator[Database]:
    """The bench's database, by the server's clock."""
    db = Database(bench.db.url, patience=DEADLINE)
    yield db
    db.close()


def name_of(db: Database) -> str:
    return str(db.engine.url.database)


def rate(session: Session) -> Rate:
    return session.scalars(select(Rate)).one()


# Lost connections, locks


@pytest.mark.parametrize("how", ["terminate", "stop", "kill"])
def test_a_connection_that_is_lost_at_work_costs_one_more_try(
    db: Database, postgres_server: PostgresServer, how: str
) -> None:
    runs = []

    def work(session: Session) -> None:
        rates.note_rate(session, "d", "e", 1.0, now=0.0)
        runs.append(1)
        if len(runs) == 1:
            if how == "terminate":
                assert postgres_server.terminate(name_of(db)) > 0
            else:
                getattr(postgres_server, how)()
                postgres_server.start()
        session.execute(update(Rate).values(items_per_second=5.0))

    db.write(work)
    assert len(runs) == 2
    assert db.read(rate).items_per_second == 5.0


def test_connections_that_were_lost_while_idle_are_replaced(
    db: Database, postgres_server: PostgresServer
) -> None:
    db.read(lambda s: s.execute(text("SELECT 1")))
    postgres_server.terminate(name_of(db))
    assert db.read(lambda s: s.scalar(text("SELECT 7"))) == 7


def test_a_server_that_is_away_is_waited_for(
    db: Database, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.patience = 60.0
    fake = FakeTime(then=postgres_server.start)
    monkeypatch.setattr(store.database, "time", fake)
    postgres_server.stop()
    assert db.read(lambda s: s.scalar(text("SELECT 7"))) == 7
    assert len(fake.pauses) >= 5


def test_who_waits_for_each_other_is_told_apart(bench: Bench, db: Database) -> None:
    bench.job("a", [1, 1])
    first, second = bench.db.read(lambda s: s.scalars(select(Shard.id).order_by(Shard.id)).all())
    both_have_one = threading.Barrier(2, timeout=DEADLINE)
    runs = []

    def add(one: int, other: int) -> None:
        def work(session: Session) -> None:
            runs.append(one)
            for place, shard in enumerate((one, other)):
                session.execute(
                    update(Shard).where(Shard.id == shard).values(progress=Shard.progress + 1)
                )
                if place == 0 and len(runs) <= 2:
                    both_have_one.wait()

        db.write(work)

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(add, first, second), pool.submit(add, second, first)]:
            done.result()
    assert len(runs) == 3
    assert [bench.read_shard(shard).progress for shard in (first, second)] == [2, 2]


def test_too_few_connections_are_said_to_be_so(db: Database) -> None:
    held = [db.engine.connect() for _ in range(10)]
    db.engine.pool._timeout = 0.01  # type: ignore[attr-defined]
    with pytest.raises(RetryableError, match="too much at once"):
        db.read(lambda s: s.execute(text("SELECT 1")))
    for connection in held:
        connection.close()


# What is said when it cannot be used


def refusal(url: str, **how: Any) -> tuple[Exception, str]:
    """What a database's first use raises, and all that could be printed of it."""
    db = Database(url, patience=0.0, **how)
    with pytest.raises((UsageError, RetryableError)) as caught:
        db.read(jobs.list_jobs)
    db.close()
    return caught.value, "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("user", "password", "database", "words"),
    [
        (USER, "hunter2", "postgres", "password authentication failed"),
        ("nobody", "hunter2", "postgres", "password authentication failed"),
        (USER, PASSWORD, "nowhere", 'database "nowhere" does not exist'),
        (USER, PASSWORD, "postgres?nonsense=1", "invalid connection option"),
    ],
)
def test_who_is_not_let_in_hears_why_at_once(
    postgres_server: PostgresServer, user: str, password: str, database: str, words: str
) -> None:
    error, printed = refusal(postgres_server.url(database, user=user, password=password))
    assert isinstance(error, UsageError)
    assert words in str(error)
    assert "127.0.0.1" in str(error)
    assert error.hint is not None
    assert "REGATTA_DATABASE_URL" in error.hint
    for secret in (password, PASSWORD, "p@ss"):
        assert secret not in printed


def test_nobody_there(postgres_server: PostgresServer) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:1/{USER}"
    error, printed = refusal(url)
    assert isinstance(error, RetryableError)
    assert "port 1 failed" in str(error)
    assert error.hint is not None
    assert "server" in error.hint
    assert "hunter2" not in printed


def test_without_tables(postgres_databases: PostgresDatabases) -> None:
    error, _ = refusal(postgres_databases.new_unmigrated())
    assert isinstance(error, UsageError)
    assert "is not migrated" in str(error)
    assert error.hint is not None
    assert "regatta db upgrade" in error.hint


def test_without_rights(bench: Bench, postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE USER guest PASSWORD 'guest'")
    name = name_of(bench.db)
    error, _ = refusal(postgres_server.url(name, user="guest", password="guest"))  # noqa: S106
    postgres_server.execute("DROP USER guest")
    assert isinstance(error, UsageError)
    assert "permission denied for table jobs" in str(error)


def test_who_was_let_in_before_waits(
    bench: Bench, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_server.execute("CREATE USER member PASSWORD 'member'")
    url = postgres_server.url(name_of(bench.db), user="member", password="member")  # noqa: S106
    db = Database(url, patience=60.0)
    assert db.read(lambda s: s.scalar(text("SELECT 1"))) == 1
    postgres_server.execute("ALTER USER member PASSWORD 'changed'")
    postgres_server.terminate(name_of(bench.db))
    fake = FakeTime(then=lambda: postgres_server.execute("ALTER USER member PASSWORD 'member'"))
    monkeypatch.setattr(store.database, "time", fake)
    assert db.read(lambda s: s.scalar(text("SELECT 1"))) == 1
    assert len(fake.pauses) >= 5
    db.close()
    postgres_server.execute("DROP USER member")


# Connections


def test_time_is_the_servers(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    clock = text("SELECT extract(epoch FROM clock_timestamp())::float8")
    before = db.read(lambda s: s.scalar(clock))
    now = db.read(db.now)
    assert before < now < db.read(lambda s: s.scalar(clock))


def settings_of(url: str, *names: str, **how: Any) -> list[str]:
    db = Database(url, **how)
    found = db.read(lambda s: [str(s.scalar(text(f"SHOW {name}"))) for name in names])
    db.close()
    return found


def test_nothing_runs_for_ever(bench: Bench) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    assert settings_of(bench.db.url, *names) == ["30s", "10s", "1min"]


def test_the_url_has_the_last_word(bench: Bench) -> None:
    url = f"{bench.db.url}?options=-c%20lock_timeout%3D3s&application_name=mine"
    names = ("lock_timeout", "statement_timeout", "application_name")
    assert settings_of(url, *names, application="regatta worker") == ["3s", "30s", "mine"]


def test_the_server_knows_who_is_connected(bench: Bench) -> None:
    assert settings_of(bench.db.url, "application_name") == ["regatta"]
    asked = settings_of(bench.db.url, "application_name", application="regatta worker")
    assert asked == ["regatta worker"]


def test_isolation_does_not_depend_on_the_servers_settings(
    bench: Bench, postgres_server: PostgresServer
) -> None:
    url = f"{bench.db.url}?options=-c%20default_transaction_isolation%3Dserializable"
    db = Database(url)
    level = text("SHOW transaction_isolation")
    assert db.write(lambda s: s.scalar(level)) == "read committed"
    assert db.read(lambda s: s.scalar(level)) == "repeatable read"
    assert db.write(lambda s: s.scalar(level)) == "read committed"
    db.close()


# Several at once


@contextmanager
def meanwhile(
    bench: Bench, server: PostgresServer, work: Callable[[Session], Any]
) -> Iterator[tuple[Session, "Future[Any]"]]:
    """A transaction, and `work` in another one that waits for its end."""
    answer: Future[Any] = Future()
    with ThreadPoolExecutor(1) as pool:
        with Session(bench.db.engine) as session, session.begin():
            yield session, answer
            other = pool.submit(bench.db.write, work)
            _until_waiting(server, name_of(bench.db))
        answer.set_result(other.result(DEADLINE))


def _until_waiting(server: PostgresServer, database: str) -> None:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + DEADLINE
    while not server.execute(query, database):
        assert time.monotonic() < deadline


def test_a_pause_sees_what_was_being_queued(bench: Bench, postgres_server: PostgresServer) -> None:
    bench.job("a", [1, 1])
    with meanwhile(bench, postgres_server, lambda s: jobs.pause(s, "a", now=1.0)) as (session, _):
        assert len(queueing.queue_next(session, "a", "detect", ShardKind.INFER, 1, now=1000.0)) == 1
    assert bench.states("a") == ["pending", "pending"]


def test_first_measurements_that_meet_both_count(
    bench: Bench, postgres_server: PostgresServer
) -> None:
    def note(session: Session) -> None:
        rates.note_rate(session, "d", "e", 20.0, now=2.0)

    with meanwhile(bench, postgres_server, note) as (session, _):
        rates.note_rate(session, "d", "e", 10.0, now=1.0)
    assert bench.db.read(rate).items_per_second == 13.0


def test_a_name_that_two_register_at_once_is_the_firsts(
    bench: Bench, postgres_server: PostgresServer
) -> None:
    other = ModelRef("m", "detect", "e" * 64, "file:///other")

    def add(session: Session) -> str:
        with pytest.raises(UsageError, match="another digest, d"):
            models.add_model(session, other, {}, now=2.0)
        return "refused"

    with meanwhile(bench, postgres_server, add) as (session, second):
        models.add_model(session, MODEL, {}, now=1.0)
    assert second.result() == "refused"


def test_dispatchers_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.job("a", [1, 1, 1])
    with Session(bench.db.engine) as session, session.begin():
        first = queueing.queue_next(session, "a", "detect", ShardKind.INFER, 2, now=1000.0)
        second = bench.queue("a", 2)
        assert [len(first), len(second)] == [2, 1]
    assert {hold.shard for hold in first}.isdisjoint(hold.shard for hold in second)
    asked: dict[str, Any] = {"served": [("a", ShardKind.INFER)], "now": 2000.0, "since": 1500.0}
    with Session(bench.db.engine) as session, session.begin():
        again = queueing.overdue(session, "detect", 2, **asked)
        others = bench.db.write(lambda s: queueing.overdue(s, "detect", 9, **asked))
        assert [len(found[ShardKind.INFER]) for found in (again, others)] == [2, 1]


def test_several_claim_a_jobs_first_shards_while_it_is_paused(bench: Bench) -> None:
    bench.job("a", [1] * 8, options=OPTIONS.to_json())
    holds = bench.queue("a", 8)
    with ThreadPoolExecutor(9) as pool:
        claims = [pool.submit(bench.claim, hold, f"w{hold.shard}") for hold in holds]
        paused = pool.submit(bench.db.write, lambda s: jobs.pause(s, "a", now=1.0))
        assert paused.result(DEADLINE)
        for claim in claims:
            claim.result(DEADLINE)
    assert set(bench.states("a")) <= {"running", "pending"}
