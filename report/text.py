"""Text from data, as a page shows it."""

from core.escape import printable

_LONGEST = 300


def visible(value: object, longest: int = _LONGEST) -> str:
    """Return printable text, its middle cut out if too long; the template escapes its HTML."""
    text = str(value)
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[:half]}\N{HORIZONTAL ELLIPSIS}{text[-half:]}"
    return printable(text)


def number(value: float) -> str:
    """Return a number as people write it: `12,345`, `5.73`, `0.018`."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004


def plural(count: int, name: str) -> str:
    """Return a count with its noun: `1 item`, `12,345 items`."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def moment(text: str | None) -> str:
    """Return an ISO time to the second, with a blank instead of its T; a dash for none."""
    return "\N{EN DASH}" if text is None else f"{text[:10]} {text[11:19]} UTC"


def duration(seconds: float) -> str:
    """Return a duration: `7.2 s`, `3 min 05 s`, `2 h 07 min`."""
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
