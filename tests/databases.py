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
    """Copies of a database that was migrated once."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = itertools.count()
        self._made: list[str] = []
        server.create("template")
        upgrade(server.url("template"))

    def new(self, _folder: Path) -> str:
        return self._new("template")

    def new_unmigrated(self) -> str:
        return self._new("template0")

    def drop_all(self) -> None:
        """Drop what was made since the last time: a hundred of them fill a disk."""
        while self._made:
            self._server.drop(self._made.pop())

    def _new(self, template: str) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self._server.create(name, template=template)
        self._made.append(name)
        return self._server.url(name)
