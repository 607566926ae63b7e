"""Finds this process's engines by what they offer."""

import importlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import cast

from core.errors import FatalError, UsageError
from core.profile import EngineOffer, Offered
from worker.engines.protocol import Engine

SHIPPED: Mapping[str, str] = MappingProxyType({"paddle": "worker.engines.paddle.engine"})
"""The modules of Regatta's own engines, by the names that users give them."""

NONE = "none"

_NEEDED = ("offers", "ways", "load")


class Engines:
    """Several engines: each network runs on the one whose offer its profile names."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        """Ask each engine what it offers; if two offer the same, the first is used."""
        self._by_offer: dict[EngineOffer, tuple[Engine, Offered]] = {}
        for engine in engines:
            for offered in engine.offers():
                self._by_offer.setdefault(offered.offer, (engine, offered))

    @property
    def offered(self) -> tuple[Offered, ...]:
        """What this process can run, with what each engine says about it."""
        return tuple(offered for _, offered in self._by_offer.values())

    @property
    def offers(self) -> tuple[EngineOffer, ...]:
        """What this process can run."""
        return tuple(self._by_offer)

    def of(self, offer: EngineOffer) -> Engine:
        """Return the engine that makes an offer.

        Raises:
            FatalError: no engine does.
        """
        try:
            return self._by_offer[offer][0]
        except KeyError:
            ours = ", ".join(one.key for one in self._by_offer) or "nothing"
            raise FatalError(f"this process offers {ours}, and can't run {offer.key}") from None


def engines_named(names: str) -> Engines:
    """Return the engines in a comma-separated list of names in `SHIPPED` or modules.

    `NONE` instead of a list names none: such a worker runs what needs no engine.

    Raises:
        UsageError: a name can't be imported, or is not an engine.
    """
    if names == NONE:
        return Engines(())
    return Engines(_engine(name.strip()) for name in names.split(","))


def _engine(name: str) -> Engine:
    try:
        module = importlib.import_module(SHIPPED.get(name, name))
    except ImportError as error:
        raise UsageError(
            f"the engine {name!r} cannot be imported: {error}",
            hint="set REGATTA_ENGINES to engines or modules, or leave it unset",
        ) from error
    missing = [each for each in _NEEDED if not hasattr(module, each)]
    if missing:
        raise UsageError(f"the engine {name!r} has no {' and no '.join(missing)}")
    return cast("Engine", module)
