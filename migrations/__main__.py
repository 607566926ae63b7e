"""Migrates the database of `REGATTA_DATABASE_URL` in a process of its own; answers in JSON.

The argument `upgrade` brings it to the newest revision; `check` only looks.
"""

import json
import os
import sys

from sqlalchemy.exc import DBAPIError

from core.errors import RegattaError
from migrations.upgrade import current, is_current, upgrade
from store.database_url import redacted


def main(arguments: list[str]) -> int:
    """Do what was asked and print one JSON object."""
    url = os.environ["REGATTA_DATABASE_URL"]
    try:
        if arguments == ["upgrade"]:
            upgrade(url)
        answer = {"revision": current(url), "is_current": is_current(url)}
    except RegattaError as error:
        return _fail(str(error), error.hint)
    except DBAPIError as error:
        return _fail(f"the database {redacted(url)} cannot be used: {error.orig}", None)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def _fail(message: str, hint: str | None) -> int:
    sys.stdout.write(json.dumps({"error": message, "hint": hint}) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
