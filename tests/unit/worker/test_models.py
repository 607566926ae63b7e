from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import FatalError, UsageError
from core.options import SEVERAL, ModelRef
from tests.bench import PROFILE
from tests.workshop import Network, write_model
from worker.models import Models, engine_module


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def models(network: Network) -> Models:
    return Models(network, replicas=2)


@pytest.fixture
def ref(tmp_path: Path) -> ModelRef:
    return write_model(tmp_path / "model")


def others(folder: Path, count: int) -> list[ModelRef]:
    return [write_model(folder / f"{n}", labels=("a", f"b{n}")) for n in range(count)]


def test_a_model_is_loaded_once_with_a_predictor_for_each_thread(
    models: Models, network: Network, ref: ModelRef
) -> None:
    first = models.acquire(ref, PROFILE).networks[0]
    assert models.acquire(ref, PROFILE).networks[0] is first
    assert network.loaded == len(first.predictors) == 2
    assert first.batch_size == PROFILE.batch_size


def test_another_profile_is_another_load(models: Models, network: Network, ref: ModelRef) -> None:
    models.acquire(ref, PROFILE)
    models.acquire(ref, replace(PROFILE, threads=2))
    assert network.loaded == 4


def test_a_model_that_was_changed_is_refused(models: Models, ref: ModelRef, tmp_path: Path) -> None:
    (tmp_path / "model" / "model.pdiparams").write_bytes(b"\1")
    with pytest.raises(FatalError, match="not the one") as refused:
        models.acquire(ref, PROFILE)
    assert ref.digest[:12] in str(refused.value)
    assert refused.value.hint is not None


@pytest.mark.parametrize("location", ["file:///nowhere/model", "ftp://host/model", "/model/"])
def test_a_model_that_is_not_there_is_fatal(models: Models, ref: ModelRef, location: str) -> None:
    with pytest.raises(FatalError, match="numbers"):
        models.acquire(replace(ref, location=location), PROFILE)


def test_the_least_recently_used_makes_room(
    models: Models, network: Network, tmp_path: Path
) -> None:
    first, second, *more, last = others(tmp_path, 7)
    for ref in (first, second, *more, first):
        models.release(models.acquire(ref, PROFILE))
    assert network.closed == 0
    models.release(models.acquire(last, PROFILE))
    assert network.closed == 2  # the second's
    models.release(models.acquire(first, PROFILE))
    assert network.loaded == 14
    models.release(models.acquire(second, PROFILE))
    assert network.loaded == 16


def test_a_model_in_use_is_never_closed(models: Models, network: Network, tmp_path: Path) -> None:
    held = [models.acquire(ref, PROFILE) for ref in others(tmp_path, 8)]
    assert network.closed == 0
    for model in held:
        models.release(model)
    models.acquire(write_model(tmp_path / "last"), PROFILE)
    assert network.closed == 6  # down to six with the new one


def test_a_model_that_cannot_be_had_lets_go_of_those_beside_it(
    models: Models, network: Network, ref: ModelRef
) -> None:
    gone = replace(ref, digest="0" * 64)
    with pytest.raises(FatalError, match="not the one"):
        models.acquire(ModelRef.composed("two", SEVERAL, {"numbers": ref, "other": gone}), PROFILE)
    (resident,) = models.acquire(ref, PROFILE).networks
    assert resident.users == 1
    assert network.loaded == 2


def test_closing_frees_every_predictor(models: Models, network: Network, ref: ModelRef) -> None:
    models.release(models.acquire(ref, PROFILE))
    models.close()
    assert network.closed == 2


def test_a_batch_size_only_shrinks(models: Models, ref: ModelRef) -> None:
    model = models.acquire(ref, PROFILE)
    assert model.halved_to is None
    network = model.networks[0]
    assert network.shrink(2)
    assert not network.shrink(2)
    assert not network.shrink(3)
    assert model.halved_to == model.batch_size == 2


def test_an_engine_is_a_module_that_has_what_it_takes() -> None:
    assert hasattr(engine_module("tests.acceptance.standin"), "offers")
    with pytest.raises(UsageError, match="cannot be imported"):
        engine_module("worker.engines.nosuch")
    with pytest.raises(UsageError, match="has no offers and no ways and no load_predictors"):
        engine_module("core.items")
