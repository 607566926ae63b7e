from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import Settings
from core.errors import FatalError, UsageError
from core.profile import Offered
from tests.acceptance import standin
from tests.bench import OFFER
from tests.integration import precarious
from worker.engines.registry import SHIPPED, Engines, engines_named

OTHER = replace(OFFER, engine="other")


def engine(*offered: Offered) -> Any:
    return SimpleNamespace(offers=lambda: offered)


def test_an_offer_leads_to_its_engine() -> None:
    one, two = engine(Offered(OFFER, rank=2.0)), engine(Offered(OTHER), Offered(OFFER, rank=3.0))
    engines = Engines([one, two])
    assert engines.offers == (OFFER, OTHER)
    assert engines.offered == (Offered(OFFER, rank=2.0), Offered(OTHER))
    assert engines.of(OFFER) is one
    assert engines.of(OTHER) is two


def test_an_offer_that_nobody_makes_is_named() -> None:
    with pytest.raises(FatalError, match=r"offers null/1/.* can't run other/1/"):
        Engines([engine(Offered(OFFER))]).of(OTHER)
    with pytest.raises(FatalError, match="offers nothing"):
        Engines([]).of(OTHER)


def test_engines_are_named_by_their_modules() -> None:
    engines = engines_named(f"{standin.__name__}, {precarious.__name__}")
    assert [offer.engine for offer in engines.offers] == ["standin", "precarious"]
    assert engines.of(precarious.OFFER) is precarious


def test_an_engine_is_a_module_that_has_what_it_takes() -> None:
    with pytest.raises(UsageError, match="cannot be imported"):
        engines_named("worker.engines.nosuch")
    with pytest.raises(UsageError, match="has no offers and no ways and no load"):
        engines_named("core.items")


def test_what_is_shipped_is_what_a_worker_has_by_default() -> None:
    assert set(SHIPPED) == {Settings().engines}
