import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

import store.database
from core.errors import RetryableError, UsageError
from store.database import Database, redacted
from store.tables import Rate
from tests.bench import Bench


def rate(digest: str = "d") -> Rate:
    return Rate(model_digest=digest, engine="e", items_per_second=1.0, measured_at=0.0)


class FakeTime:
    """Time that passes only when somebody sleeps; `then` happens in the first sleep."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._then = then

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        if len(self.pauses) == 5:
            self._then()


@pytest.fixture
def impatient(bench: Bench) -> Database:
    """The same file, without SQLite's own patience."""
    db = Database(bench.db.url, patience=0.0)
    db.patience = 60.0
    return db


def locked(db: Database) -> sqlite3.Connection:
    connection = sqlite3.connect(str(db.engine.url.database), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_a_lock_that_is_held_for_a_while_is_survived(
    impatient: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = locked(impatient)
    time = FakeTime(then=holder.rollback)
    monkeypatch.setattr(store.database, "time", time)
    impatient.write(lambda s: s.add(rate()))
    assert len(time.pauses) == 5
    assert time.pauses[0] <= 0.03
    assert impatient.read(lambda s: s.query(Rate).count()) == 1
    holder.close()
    impatient.close()


def test_patience_with_a_lock_has_an_end(
    impatient: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = locked(impatient)
    time = FakeTime()
    monkeypatch.setattr(store.database, "time", time)
    with pytest.raises(RetryableError, match="locked"):
        impatient.write(lambda s: s.add(rate()))
    assert 60 < time.now < 61
    assert max(time.pauses) <= 0.75
    holder.close()
    impatient.close()


def test_readers_do_not_wait_for_a_writer(bench: Bench) -> None:
    holder = locked(bench.db)
    assert bench.db.read(lambda s: s.query(Rate).count()) == 0
    holder.close()


def test_a_write_holds_the_lock_before_it_reads(bench: Bench) -> None:
    other = sqlite3.connect(str(bench.db.engine.url.database), timeout=0, isolation_level=None)

    def work(session: Session) -> None:
        session.connection()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    bench.db.write(work)
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_reader_takes_no_lock(bench: Bench) -> None:
    other = sqlite3.connect(str(bench.db.engine.url.database), timeout=0, isolation_level=None)

    def work(session: Session) -> None:
        session.query(Rate).count()
        other.execute("BEGIN IMMEDIATE")

    bench.db.read(work)
    other.close()


def test_work_that_fails_leaves_nothing(bench: Bench) -> None:
    def work(session: Session) -> None:
        session.add(rate())
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.db.write(work)
    assert bench.db.read(lambda s: s.query(Rate).count()) == 0


def test_a_full_disk_is_no_reason_to_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime()
    monkeypatch.setattr(store.database, "time", time)

    def work(session: Session) -> None:
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count = {pages}"))  # SQLite's own full disk
        session.add_all([rate("d" * 4000 + str(n)) for n in range(50)])

    with pytest.raises(RetryableError, match="full") as caught:
        bench.db.write(work)
    assert caught.value.hint is not None
    assert "room" in caught.value.hint
    assert time.pauses == []


def test_mistakes_are_not_repeated(bench: Bench) -> None:
    runs = []

    def twice(session: Session) -> None:
        runs.append(1)
        session.add(rate())
        session.flush()
        session.execute(
            text("INSERT INTO rates SELECT * FROM rates")  # breaks the primary key
        )

    with pytest.raises(IntegrityError):
        bench.db.write(twice)
    with pytest.raises(OperationalError, match="no such table"):
        bench.db.read(lambda s: s.execute(text("SELECT * FROM nowhere")))
    assert runs == [1]


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    db = Database(f"sqlite:///{tmp_path / 'folder.db'}", patience=0.0)
    with pytest.raises(RetryableError, match=r"folder\.db cannot be used: unable to open"):
        db.read(lambda s: s.execute(text("SELECT 1")))
    db.close()


def test_foreign_keys_are_kept(bench: Bench) -> None:
    with pytest.raises(IntegrityError):
        bench.shard("no such job", seq=0)


def test_folders_of_a_new_database_are_made(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'a' / 'b' / 'c.db'}")
    assert db.is_sqlite
    assert db.read(lambda s: s.scalar(text("PRAGMA journal_mode"))) == "wal"
    db.close()


def test_time_is_the_given_clock(bench: Bench) -> None:
    bench.clock.now = 1234.5
    assert bench.db.read(bench.db.now) == 1234.5


@pytest.mark.parametrize("url", ["", "regatta.db", "nosuchdatabase"])
def test_urls_that_cannot_be_read(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database(url)
    assert caught.value.hint is not None


@pytest.mark.parametrize("url", ["postgresql+nodriver://me:pw@db/x", "oracle+nodriver://db/x"])
def test_databases_without_a_driver(url: str) -> None:
    with pytest.raises(UsageError, match="driver") as caught:
        Database(url)
    assert "pw" not in str(caught.value)


class ServerGoneError(Exception):
    """Stands for what a server's driver raises."""


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT 1", {}, ServerGoneError("the server closed the connection")),
        InterfaceError("SELECT 1", {}, ServerGoneError("closed"), connection_invalidated=True),
    ],
)
def test_a_server_that_comes_back_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: DBAPIError
) -> None:
    monkeypatch.setattr(store.database, "time", FakeTime())
    errors = [error, error]

    def work(session: Session) -> int:
        if errors:
            raise errors.pop()
        return 7

    assert bench.db.write(work) == 7


def test_passwords_are_not_shown() -> None:
    assert redacted("postgresql://me:secret@db/regatta") == "postgresql://me:***@db/regatta"


def test_missing_documents_are_missing(bench: Bench) -> None:
    bench.job("a", [1], profile=None)
    found = bench.db.read(
        lambda s: s.execute(
            text("SELECT j.profile IS NULL, s.trial IS NULL, j.state FROM jobs j, shards s")
        ).one()
    )
    assert tuple(found) == (1, 1, "running")
