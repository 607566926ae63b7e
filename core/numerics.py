"""How Regatta runs networks on the engines that it ships: a revision for each."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from core.profile import EngineOffer

REVISIONS: Mapping[str, int] = MappingProxyType({"paddle": 2})
"""The present revision of each engine, by its name (`EngineOffer.numerics`).

It is raised whenever a change to the engine's adapter changes numbers, so that a job's shards stay
alike, and so that results of an earlier revision are known as such. The first revision of `paddle`
used oneDNN wherever it loaded.
"""


def are_present(offers: Iterable[EngineOffer]) -> bool:
    """Return whether what ran on these offers would run with the same revisions today.

    What an engine of somebody else's does is its own business: its revision is not known here.
    """
    return all(one.numerics == REVISIONS.get(one.engine, one.numerics) for one in offers)
