"""The database's tables, as the migrations (a process of their own) see them."""

import json
import os
import subprocess
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from cli.stack.environment import python_module
from core.errors import RegattaError
from store.database import Database
from store.revision import NEWEST, revision_of


@dataclass(frozen=True, slots=True)
class Revision:
    """Which revision a database is at, and whether it is this version's newest."""

    name: str | None
    is_current: bool


def upgrade(database_url: str) -> Revision:
    """Bring the database to the newest revision.

    Raises:
        RegattaError: it cannot be reached, or a newer Regatta made it.
    """
    return _ask("upgrade", database_url)


def ensure_newest(database_url: str) -> None:
    """Bring the database to the newest revision if it is at another.

    Raises:
        RegattaError: it cannot be reached, or a newer Regatta made it.
    """
    # Migrating takes a process and most of a second, which every start of a stack would wait for.
    db = Database(database_url)
    try:
        is_newest = db.read(revision_of) == NEWEST
    except DBAPIError:
        is_newest = False  # no database, say; the migrations tell people about it
    finally:
        db.close()
    if not is_newest:
        upgrade(database_url)


def look(database_url: str) -> Revision:
    """Return where the database stands.

    Raises:
        RegattaError: it cannot be reached.
    """
    return _ask("check", database_url)


def _ask(what: str, database_url: str) -> Revision:
    # The URL may hold a password: not for the command line, which everybody can read.
    result = subprocess.run(
        python_module("migrations", what),
        env={**os.environ, "REGATTA_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(result.stdout.strip().rpartition("\n")[2])
    except ValueError:
        last = result.stderr.strip().rpartition("\n")[2]
        raise RegattaError(
            f"the migrations failed: {last or f'exit code {result.returncode}'}",
            hint="`regatta doctor` looks at the database",
        ) from None
    if "error" in answer:
        raise RegattaError(answer["error"], hint=answer["hint"])
    return Revision(answer["revision"], answer["is_current"])
