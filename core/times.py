"""Times as people read them; the database and the code keep seconds since the epoch."""

from datetime import UTC, datetime


def iso(seconds: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC, to the millisecond; None stays None."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def to_the_second(text: str) -> str:
    """Return what `iso` wrote without its milliseconds, with a blank instead of its T."""
    return f"{text[:10]} {text[11:19]}Z"
