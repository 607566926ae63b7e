import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import migrations.upgrade
from core.errors import RetryableError, UsageError
from migrations.upgrade import downgrade, is_current, upgrade
from tests.databases import PostgresDatabases
from tests.postgres import PostgresServer

DEADLINE = 30.0
WAITING = (
    "SELECT xact_start FROM pg_stat_activity WHERE datname = %s"
    " AND application_name = 'regatta migrations' AND wait_event_type = 'Lock'"
)


@pytest.fixture
def url(postgres_databases: PostgresDatabases) -> str:
    return postgres_databases.new_unmigrated()


@pytest.fixture
def other(url: str) -> Iterator[psycopg.Connection]:
    """Somebody else's connection."""
    with psycopg.connect(url) as connection:
        yield connection


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for in milliseconds."""
    limits = migrations.upgrade._POSTGRES_LIMITS
    short = tuple(limit.replace("'2s'", "'50ms'") for limit in limits)
    assert short != limits
    monkeypatch.setattr(migrations.upgrade, "_POSTGRES_LIMITS", short)


def waiting(server: PostgresServer, url: str, transactions: int) -> None:
    """Wait until so many transactions of a migration were seen to wait for a lock."""
    seen: set[object] = set()
    deadline = time.monotonic() + DEADLINE
    while len(seen) < transactions:
        seen.update(server.execute(WAITING, url.rpartition("/")[2]))
        assert time.monotonic() < deadline


@pytest.mark.usefixtures("_soon")
def test_a_table_in_use_is_asked_for_again_and_again(
    url: str, other: psycopg.Connection, postgres_server: PostgresServer
) -> None:
    upgrade(url)
    other.execute("SELECT * FROM jobs")  # and the transaction stays open
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(downgrade, url, "base")
        waiting(postgres_server, url, transactions=3)
        other.rollback()
        done.result(DEADLINE)
    assert not is_current(url)


@pytest.mark.usefixtures("_soon")
def test_a_table_that_stays_in_use_is_left_as_it_is(
    url: str, other: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(url)
    monkeypatch.setattr(migrations.upgrade, "_PATIENCE_SECONDS", 0.0)
    other.execute("SELECT * FROM jobs")
    with pytest.raises(RetryableError, match="lock timeout"):
        downgrade(url, "base")
    assert is_current(url)


def test_one_migration_at_a_time(
    url: str, other: psycopg.Connection, postgres_server: PostgresServer
) -> None:
    other.execute("SELECT pg_advisory_xact_lock(%s)", [migrations.upgrade._ONE_AT_A_TIME])
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(upgrade, url) for _ in range(2)]
        waiting(postgres_server, url, transactions=2)
        assert not is_current(url)
        other.rollback()
        for done in both:
            done.result(DEADLINE)
    assert is_current(url)


def test_a_connection_lost_in_mid_migration_costs_one_more_try(
    url: str, other: psycopg.Connection, postgres_server: PostgresServer
) -> None:
    upgrade(url)
    other.execute("SELECT * FROM jobs")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(downgrade, url, "base")
        waiting(postgres_server, url, transactions=1)
        postgres_server.terminate(url.rpartition("/")[2])
        done.result(DEADLINE)
    assert not is_current(url)
    other.close()


def test_a_wrong_password_is_said_and_not_shown(postgres_server: PostgresServer) -> None:
    wrong = postgres_server.url("postgres", password="hunter2")  # noqa: S106 - it opens nothing
    with pytest.raises(UsageError, match="password authentication failed") as caught:
        upgrade(wrong)
    assert "hunter2" not in str(caught.value)
