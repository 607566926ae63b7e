"""A PostgreSQL server of the tests' own, which they may stop and kill."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.postgres_programs import server_programs

USER, PASSWORD = "skipper", "p%40ss%2Fword"  # as a URL spells it
_PLAIN_PASSWORD = "p@ss/word"  # noqa: S105 - it guards nothing
_READY_SECONDS = 60.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # what is lost with the machine is lost; a killed server loses nothing
    "shared_buffers": "16MB",
    "max_connections": "100",
    "autovacuum": "off",
    "lc_messages": "C",
    "deadlock_timeout": "100ms",
}
_COLUMNS = """
SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attnotnull
FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') AND attnum > 0
ORDER BY 1, 2
"""
_EMPTY = """
DO $$ BEGIN
    EXECUTE (
        SELECT coalesce(
            'TRUNCATE ' || string_agg(format('%I', tablename), ', ') || ' RESTART IDENTITY',
            'SELECT 1'
        )
        FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    );
END $$
"""


class PostgresServer:
    """A cluster in a folder of its own, and the server that runs it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # sockets' paths are short
        self.port = _free_port()
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        self._server: subprocess.Popen[bytes] | None = None
        self._was_up = False
        self._programs, self._as_user = server_programs(self.folder)
        self._init()

    def url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """The URL of a database, through TCP and with a password, as a fleet has it."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        deadline = time.monotonic() + _READY_SECONDS
        self._spawn()
        while not self._answers():
            assert self._server is not None
            if self._server.poll() is not None:
                # A killed server's children may hold its memory for a moment; or somebody else
                # took the port that was free, which matters only before anybody was told it.
                self.port = self.port if self._was_up else _free_port()
                self._spawn()
            if time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL does not answer:\n{self._log.read_text()}")
            time.sleep(0.02)  # nothing tells when a server begins to listen
        self._was_up = True

    def kill(self) -> None:
        """End the server as `kill -9` does; its children end when they notice."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server at once but in order; sessions are told that an admin did it."""
        self._end(signal.SIGINT)

    def close(self) -> None:
        """End everything and leave nothing behind."""
        if self._server is not None:
            self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def execute(self, statement: Any, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as the server's owner, outside any transaction."""
        with psycopg.connect(**self._owner(), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, *, template: str = "template0") -> None:
        """Create a database as a copy of another."""
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(database), sql.Identifier(template)
            )
        )

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def tables(self, database: str) -> list[tuple[Any, ...]]:
        """Return the columns of a database's tables, and their types."""
        with psycopg.connect(**self._owner(database)) as connection:
            return connection.execute(_COLUMNS).fetchall()

    def empty(self, database: str) -> None:
        """Remove all rows of a database, whoever is connected to it, and count from 1 again."""
        self.terminate(database)
        with psycopg.connect(**self._owner(database), autocommit=True) as connection:
            connection.execute(_EMPTY)

    def terminate(self, database: str) -> int:
        """Close all connections to a database from the server's side; return how many."""
        statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        return len(self.execute(statement, database))

    def _init(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(_PLAIN_PASSWORD)
        arguments = ["-D", self._data, "-U", USER, "--pwfile", secret, "--no-sync", "-E", "UTF8"]
        methods = ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-locale"]
        for path in (self.folder, secret):
            self._as_user.own(path)
        made = subprocess.run(
            self._as_user.command([self._programs / "initdb", *arguments, *methods]),
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            **self._as_user.identity,
        )
        assert made.returncode == 0, made.stderr
        with (self._data / "postgresql.conf").open("a") as file:
            settings = _SETTINGS | {"unix_socket_directories": str(self.folder)}
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                self._as_user.command(
                    [self._programs / "postgres", "-D", self._data, "-p", str(self.port)]
                ),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,
                **self._as_user.identity,
            )

    def _end(self, number: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(number)
        self._server.wait(60)

    def _owner(self, database: str = "postgres") -> dict[str, Any]:
        return {"host": str(self.folder), "port": self.port, "user": USER, "dbname": database}

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
