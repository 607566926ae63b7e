"""The URL of the job database: parsed from what people write, and shown without passwords."""

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from core.errors import UsageError

_HINT = "write sqlite:////path/regatta.db or postgresql://user@host/regatta"
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_HIDDEN = "hidden"
_SECRETS = frozenset({"password", "sslpassword"})


def parsed(url: str) -> URL:
    """Return the URL with its driver: a plain `postgresql://` means psycopg 3.

    Raises:
        UsageError: it cannot be read, or names another kind of database. The message doesn't
            repeat it, as the password could be anywhere in it.
    """
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError("the database URL cannot be read", hint=_HINT) from None
    if found.get_backend_name() != "sqlite" and url.partition("?")[0].count("@") > 1:
        # What precedes the last @ would be taken for a host, and shown.
        raise UsageError(
            "the database URL cannot be read: it has more than one @",
            hint="write @ as %40 and / as %2F in user and password",
        )
    found = found.set(drivername=_DRIVERS.get(found.drivername, found.drivername))
    if found.get_backend_name() not in {"sqlite", "postgresql"}:
        raise UsageError(f"{found.drivername!r} databases are not supported", hint=_HINT)
    return found


def redacted(url: str) -> str:
    """Return the URL without its passwords.

    Raises:
        UsageError: it cannot be read.
    """
    found = parsed(url)
    hidden = {name: _HIDDEN for name in found.query if name.lower() in _SECRETS}
    shown = found.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace("postgresql+psycopg://", "postgresql://", 1)
