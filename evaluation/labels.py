"""Which class of a model is which class of a truth."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.near import did_you_mean


def parse_map(words: Sequence[str]) -> dict[str, str]:
    """Return what `LABEL=NAME,...` say: the truth's name of a class by the model's label.

    Raises:
        UsageError: one has no `=`.
    """
    pairs = {}
    for word in ",".join(words).split(",") if words else ():
        model, equals, truth = word.partition("=")
        if not (equals and truth and model):
            raise UsageError(f"--map {word!r}", hint="write the model's label = the truth's name")
        pairs[model] = truth
    return pairs


def paired(
    truth: Sequence[str], found: Sequence[str], mapping: Mapping[str, str]
) -> NDArray[np.int64]:
    """Return for each found label the place of the true one, or -1.

    `mapping`, true names by found ones, counts first, then the same name, then one that differs in
    case, `-`, `_` and blanks only, if just one does.

    Raises:
        UsageError: the mapping names a class that the truth does not have.
    """
    for name in mapping.values():
        if name not in truth:
            raise UsageError(
                f"--map: the truth has no class {name!r}",
                hint=did_you_mean(name, truth) or f"it has {', '.join(truth[:10])}",
            )
    exact = {name: place for place, name in enumerate(truth)}
    folded = Counter(map(_folded, exact))
    alike = {_folded(name): place for name, place in exact.items() if folded[_folded(name)] == 1}
    places = []
    for name in found:
        if name in mapping:
            places.append(exact[mapping[name]])
        elif name in exact:
            places.append(exact[name])
        else:
            alone = sum(_folded(other) == _folded(name) for other in found) == 1
            same = alike.get(_folded(name), -1) if alone else -1
            places.append(same)
    return np.array(places, np.int64)


def _folded(name: str) -> str:
    return "".join(name.casefold().replace("_", " ").replace("-", " ").split())
