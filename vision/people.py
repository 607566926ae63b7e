"""Which of a detector's classes are people."""

from collections.abc import Sequence

from core.errors import UsageError

_PERSON = "person"
_MOST_NAMED = 10


def people_classes(labels: Sequence[str], people: Sequence[str]) -> list[int]:
    """Return the class ids of a detector that stand for people.

    These are those named in `people`; without such names `person`, or a detector's only class.

    Raises:
        UsageError: there are none.
    """
    wanted = people or [_PERSON]
    ids = [number for number, label in enumerate(labels) if label in wanted]
    if not ids and not people and len(labels) == 1:
        ids = [0]
    if not ids:
        raise UsageError(
            f"the detector has no class {' or '.join(map(repr, wanted))}, only {_some(labels)}",
            hint="take a detector that finds people, or name the classes that are people",
        )
    return ids


def _some(labels: Sequence[str]) -> str:
    left = len(labels) - _MOST_NAMED
    return ", ".join(labels[:_MOST_NAMED]) + (f" and {left} more" if left > 0 else "")
