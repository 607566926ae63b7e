"""Migrated databases without rows, by the dozen, on SQLite and on PostgreSQL."""

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from migrations.upgrade import upgrade
from tests.postgres import PostgresServer

KINDS = ("sqlite", "postgresql")

NewDatabase = Callable[[Path], str]
"""Makes a migrated database, in this folder if it is a file, and returns its URL."""


class SqliteDatabases:
    """Copies of a file that was migrated once."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"
        upgrade(f"sqlite:///{self._template}")

    def new(self, folder: Path) -> str:
        shutil.copyfile(self._template, folder / "regatta.db")
        return f"sqlite:///{folder / 'regatta.db'}"


class PostgresDatabases:
    """Databases that were migrated once; whoever is through with one empties it for the next.

    To empty one takes a tenth of the time in which a template is copied and the copy dropped.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = itertools.count()
        self._empty: list[str] = []
        self._migrated: list[str] = []
        self._unmigrated: list[str] = []
        server.create("template")
        upgrade(server.url("template"))
        self._tables = server.tables("template")

    def new(self, _folder: Path) -> str:
        """A migrated database without rows."""
        self._migrated.append(self._empty.pop() if self._empty else self._create("template"))
        return self._server.url(self._migrated[-1])

    def new_unmigrated(self) -> str:
        self._unmigrated.append(self._create("template0"))
        return self._server.url(self._unmigrated[-1])

    def take_back(self) -> None:
        """Take back what was handed out since the last time, whoever is connected to it."""
        while self._migrated:
            database = self._migrated.pop()
            if self._server.tables(database) == self._tables:
                self._server.empty(database)
                self._empty.append(database)
            else:
                self._server.drop(database)
        while self._unmigrated:
            self._server.drop(self._unmigrated.pop())

    def _create(self, template: str) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self._server.create(name, template=template)
        return name
