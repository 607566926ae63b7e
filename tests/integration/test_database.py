import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import UsageError
from store.database import Database
from store.database_url import redacted
from store.tables import Job, Rate, Shard
from tests.bench import Bench


def rate(digest: str = "d") -> Rate:
    return Rate(model_digest=digest, engine="e", items_per_second=1.0, measured_at=0.0)


def test_work_that_fails_leaves_nothing(bench: Bench) -> None:
    def work(session: Session) -> None:
        session.add(rate())
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.db.write(work)
    assert bench.db.read(lambda s: s.query(Rate).count()) == 0


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
    assert runs == [1]


@pytest.mark.parametrize("query", ["SELECT * FROM nowhere", "SELECT missing FROM rates"])
def test_tables_of_another_version_are_said_to_be_so(bench: Bench, query: str) -> None:
    with pytest.raises(UsageError, match="is not migrated") as caught:
        bench.db.read(lambda s: s.execute(text(query)))
    assert caught.value.hint is not None
    assert "regatta db upgrade" in caught.value.hint


def test_a_read_sees_one_moment(bench: Bench) -> None:
    def work(session: Session) -> tuple[int, int]:
        before = session.query(Rate).count()
        bench.db.write(lambda s: s.add(rate()))
        return before, session.query(Rate).count()

    assert bench.db.read(work) == (0, 0)
    assert bench.db.read(lambda s: s.query(Rate).count()) == 1


def test_foreign_keys_are_kept(bench: Bench) -> None:
    with pytest.raises(IntegrityError):
        bench.shard("no such job", seq=0)


def test_time_is_the_given_clock(bench: Bench) -> None:
    bench.clock.now = 1234.5
    assert bench.db.read(bench.db.now) == 1234.5


@pytest.mark.parametrize(
    "url",
    [
        "",
        "regatta.db",
        "nosuchdatabase",
        "postgresql://me:pw@h:x/d",
        "postgresql://me:a@pw@h/d",
        "postgresql://me:a@b/pw@h/d",
    ],
)
def test_urls_that_cannot_be_read(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        Database(url)
    assert caught.value.hint is not None
    assert "pw" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "why"),
    [("postgresql+nodriver://me:pw@db/x", "no driver"), ("mysql://me:pw@db/x", "not supported")],
)
def test_databases_of_another_kind(url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        Database(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_understood(scheme: str) -> None:
    db = Database(f"{scheme}://me:secret@db/regatta")
    assert db.engine.dialect.driver == "psycopg"
    assert not db.is_sqlite
    db.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("postgresql://me:secret@db/regatta", "postgresql://me:***@db/regatta"),
        ("postgres://db/x?password=secret", "postgresql://db/x?password=hidden"),
        ("postgresql://db/x?sslpassword=secret", "postgresql://db/x?sslpassword=hidden"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_missing_documents_are_missing(bench: Bench) -> None:
    bench.job("a", [1], profile=None)
    missing = [Job.profile.is_(None), Shard.trial.is_(None)]
    assert bench.db.read(lambda s: s.query(Shard).join(Job).where(*missing).count()) == 1
    assert bench.db.read(lambda s: s.scalar(text("SELECT state FROM jobs"))) == "running"
