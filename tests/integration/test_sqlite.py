import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import store.database
from core.errors import BlockedError, RetryableError
from store.database import Database
from store.tables import Rate
from tests.bench import Bench
from tests.faketime import FakeTime


def rate(digest: str = "d") -> Rate:
    return Rate(model_digest=digest, engine="e", items_per_second=1.0, measured_at=0.0)


@pytest.fixture
def bench(sqlite_bench: Bench) -> Bench:
    return sqlite_bench


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


def test_a_full_disk_is_no_reason_to_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime()
    monkeypatch.setattr(store.database, "time", time)

    def work(session: Session) -> None:
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count = {pages}"))  # SQLite's own full disk
        session.add_all([rate("d" * 4000 + str(n)) for n in range(50)])

    with pytest.raises(BlockedError, match="full") as caught:
        bench.db.write(work)
    assert caught.value.hint is not None
    assert "space" in caught.value.hint
    assert time.pauses == []


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    db = Database(f"sqlite:///{tmp_path / 'folder.db'}", patience=0.0)
    with pytest.raises(RetryableError, match=r"folder\.db cannot be used: unable to open"):
        db.read(lambda s: s.execute(text("SELECT 1")))
    db.close()


def test_folders_of_a_new_database_are_made(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'a' / 'b' / 'c.db'}")
    assert db.is_sqlite
    assert db.read(lambda s: s.scalar(text("PRAGMA journal_mode"))) == "wal"
    db.close()
