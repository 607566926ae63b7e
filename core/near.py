"""Names that somebody who mistyped one may have meant."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def near_names(name: str, known: Iterable[str], *, most: int = 3, alike: float = 0.6) -> list[str]:
    """Return the known names that are most like `name`, in any case, the nearest first.

    `alike` is the least ratio of `difflib`, 0 to 1.
    """
    by_lower = {each.lower(): each for each in known}
    return [by_lower[each] for each in get_close_matches(name.lower(), by_lower, most, alike)]


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the question that names what may have been meant, or None if nothing is near."""
    return question(near_names(name, known))


def question(near: Sequence[str]) -> str | None:
    """Return the question whether one of these was meant, or None if there are none."""
    if not near:
        return None
    *others, last = map(repr, near)
    return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
