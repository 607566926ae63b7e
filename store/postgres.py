"""PostgreSQL, the job database of a fleet, through psycopg 3."""

from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from core.errors import UsageError
from store.trouble import MISTAKE, UNMIGRATED, Kind, Trouble

# Writes see each row as it is when they change it, which is all that compare-and-set needs. A read
# sees one moment, as on SQLite; for reads alone this costs nothing and never fails.
READS: dict[str, Any] = {"isolation_level": "REPEATABLE READ"}
WRITES: dict[str, Any] = {}

# The server gives up before we do, so that nothing still runs there when we ask again.
_OPTIONS = "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
# A peer that vanished silently is noticed within half a minute.
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_POOL: dict[str, Any] = {
    "pool_size": 5,
    "max_overflow": 5,
    "pool_timeout": 30,
    "pool_recycle": 1800,
    "pool_use_lifo": True,  # connections opened in a busy moment are closed by the next recycle
}

_AWAY = "see that the server runs and can be reached; `regatta doctor` looks"
_FULL = "make room on the server's disk"
_REFUSED = "correct REGATTA_DATABASE_URL, or create the user or the database"

# Connection, transaction rollback, resources, operator intervention, system; see the manual's
# appendix A. Besides these: a lock timeout, a session timeout, a server that is no longer the
# primary.
_PASSING_CLASSES = ("08", "40", "53", "57", "58")
_PASSING_STATES = frozenset({"55P03", "25P03", "25P04", "25006"})
_FULL_STATE = "53100"
_UNMIGRATED_STATES = frozenset({"42P01", "42703", "3F000"})
_REFUSED_CLASSES = ("28", "3D")
_REFUSED_STATE = "42501"
# While a connection is being made, libpq only passes on the server's words.
_REFUSED_WORDS = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
)


def open_engine(url: URL, *, application: str) -> Engine:
    """Return an engine; nothing is connected yet.

    What the URL says about the connection (timeouts, TLS, application name) takes precedence over
    what is set here. `application` is the name under which the server lists the sessions.

    Raises:
        UsageError: the driver that the URL names is not installed.
    """
    told = {"application_name": application} | _CONNECTION
    arguments = {name: value for name, value in told.items() if name not in url.query}
    arguments["options"] = f"{_OPTIONS} {_one(url.query.get('options', ''))}".strip()
    try:
        return create_engine(url, connect_args=arguments, isolation_level="READ COMMITTED", **_POOL)
    except (ImportError, ArgumentError) as error:
        raise UsageError(
            f"no driver for {url.drivername!r} databases is installed: {error}",
            hint="write postgresql://user@host/regatta",
        ) from error


def diagnose(error: DBAPIError) -> Trouble:
    """Return what an error means, by its SQLSTATE if the driver knows it."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return _diagnose_unnumbered(error)
    if state == _FULL_STATE:
        return Trouble(Kind.FULL, _FULL)
    if state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES:
        return Trouble(Kind.PASSING, _AWAY)
    if state in _UNMIGRATED_STATES:
        return UNMIGRATED
    if state.startswith(_REFUSED_CLASSES) or state == _REFUSED_STATE:
        return Trouble(Kind.REFUSED, _REFUSED)
    return MISTAKE


def _diagnose_unnumbered(error: DBAPIError) -> Trouble:
    if isinstance(error, ProgrammingError):  # an option of the URL that libpq does not know
        return Trouble(Kind.REFUSED, _REFUSED)
    if any(words in str(error.orig) for words in _REFUSED_WORDS):
        return Trouble(Kind.REFUSED, _REFUSED)
    return Trouble(Kind.PASSING, _AWAY) if _is_connection(error) else MISTAKE


def _is_connection(error: DBAPIError) -> bool:
    return error.connection_invalidated or type(error.orig).__name__ == "OperationalError"


def _one(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)
