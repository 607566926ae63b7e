"""Finds the items of a job that a truth is about."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """`rows` int64 (N,) are the places of items, one for each name of a truth, -1 for none.

    `by_base` counts those that only share their base name. `unknown` are the names without an item.
    """

    rows: NDArray[np.int64]
    by_base: int
    unknown: tuple[str, ...]


def match(names: Sequence[str], items: Sequence[str], *, has_stems: bool) -> Matching:
    """Return which item each name means: the one of this key, else of a base name both have once.

    With `has_stems`, names may lack the suffix of their item.
    """
    wanted = [_plain(name) for name in names]
    rows = _found(wanted, items)
    if has_stems:
        rows = _completed(rows, wanted, [_stem(item) for item in items])
    exact = int((rows >= 0).sum())
    bases = [_base(item) for item in items]
    rows = _completed(rows, [_base(name) for name in wanted], bases)
    if has_stems:
        rows = _completed(rows, [_base(name) for name in wanted], [_stem(base) for base in bases])
    unknown = tuple(names[place] for place in np.flatnonzero(rows < 0).tolist())
    return Matching(rows, int((rows >= 0).sum()) - exact, unknown)


def _found(wanted: Sequence[str], known: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each name among the known ones; -1 for those that any side has twice."""
    known_counts, wanted_counts = Counter(known), Counter(wanted)
    places = {name: place for place, name in enumerate(known) if known_counts[name] == 1}
    return np.array(
        [places.get(name, -1) if wanted_counts[name] == 1 else -1 for name in wanted], np.int64
    )


def _completed(
    rows: NDArray[np.int64], wanted: Sequence[str], known: Sequence[str]
) -> NDArray[np.int64]:
    """Return the rows with those that were not found yet looked for among items that are free."""
    if (rows >= 0).all():
        return rows
    more = _found(wanted, known)
    free = (rows < 0) & ~np.isin(more, rows[rows >= 0])
    return np.where(free, more, rows)


def _plain(name: str) -> str:
    """Return a name as keys are written: Windows' separators and a leading `./` are not."""
    return name.replace("\\", "/").removeprefix("./")


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _stem(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    dot = base.rfind(".")
    return folder + slash + (base[:dot] if dot > 0 else base)
