"""Chooses the database that a benchmark runs on."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from tests.postgres import PostgresServer


def add_options(parser: ArgumentParser) -> None:
    """Add the options that choose the database; the default is a SQLite file."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--database-url", help="an empty database")
    which.add_argument(
        "--postgresql", action="store_true", help="start a PostgreSQL server of the benchmark's own"
    )


@contextmanager
def database(told: Namespace) -> Iterator[str | None]:
    """Yield the URL of an empty database, or None for SQLite."""
    if not told.postgresql:
        yield told.database_url
        return
    server = PostgresServer()
    server.start()
    try:
        server.create("benchmark")
        yield server.url("benchmark")
    finally:
        server.close()
