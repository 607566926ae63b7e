"""What the command line says of a PostgreSQL that it cannot use, and how to mend it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import cli.session
from cli.main import cli as regatta
from store.revision import NEWEST
from tests.databases import PostgresDatabases
from tests.postgres import PASSWORD, PostgresServer

Typed = Callable[..., Result]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Runs a command with this database; it never prints a password."""
    monkeypatch.setenv("REGATTA_HOME", str(tmp_path))
    monkeypatch.setattr(cli.session, "_PATIENCE_SECONDS", 0.0)

    def run(url: str, *words: str) -> Result:
        monkeypatch.setenv("REGATTA_DATABASE_URL", url)
        result = CliRunner().invoke(regatta, words)
        assert not [word for word in (PASSWORD, "p@ss", "hunter2") if word in result.output]
        return result

    return run


def test_from_an_empty_database_to_one_that_works(
    typed: Typed, postgres_databases: PostgresDatabases
) -> None:
    url = postgres_databases.new_unmigrated()
    before = typed(url, "jobs")
    assert before.exit_code == 2
    assert "has no tables of Regatta's" in before.stderr
    assert "regatta db upgrade" in before.stderr
    checked = database_check(typed(url, "doctor", "--format", "json"))
    assert (checked["status"], checked["mend"]) == ("failed", "regatta db upgrade")
    assert "without tables" in checked["found"]

    assert f"is at revision {NEWEST}" in typed(url, "db", "upgrade").stderr
    assert typed(url, "jobs", "--format", "json").stdout == "[]\n"
    assert database_check(typed(url, "doctor", "--format", "json"))["status"] == "ok"


def test_a_wrong_password(typed: Typed, postgres_server: PostgresServer) -> None:
    url = postgres_server.url("postgres", password="hunter2")  # noqa: S106 - it opens nothing
    jobs = typed(url, "jobs")
    assert jobs.exit_code == 2
    assert "password authentication failed" in jobs.stderr
    assert "REGATTA_DATABASE_URL" in jobs.stderr
    checked = database_check(typed(url, "doctor", "--format", "json"))
    assert checked["status"] == "failed"
    assert "password authentication failed" in checked["found"]
    upgraded = typed(url, "db", "upgrade")
    assert upgraded.exit_code != 0
    assert "password authentication failed" in upgraded.stderr


def test_a_server_that_is_away(typed: Typed) -> None:
    jobs = typed("postgresql://me:hunter2@127.0.0.1:1/regatta", "jobs")
    assert jobs.exit_code == 1
    assert "postgresql://me:***@127.0.0.1:1/regatta cannot be used" in jobs.stderr
    assert "see that the server runs" in jobs.stderr


def database_check(doctor: Result) -> dict[str, object]:
    [found] = [check for check in json.loads(doctor.stdout) if check["check"] == "database"]
    assert isinstance(found, dict)
    return found
