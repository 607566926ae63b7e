"""Text from data, as a page shows it."""

from core.escape import printable
from core.times import to_the_second

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


def moment(text: str | None) -> str:
    """Return an ISO time to the second; a dash for none."""
    return "\N{EN DASH}" if text is None else to_the_second(text)
