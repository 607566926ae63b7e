from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import FatalError
from core.options import SEVERAL, ModelRef
from core.profile import NetworkProfile
from core.ways import Way
from tests.bench import OFFER, PROFILE
from tests.workshop import PATIENCE, Gate, Network, NumberFinder, models_of, write_model
from worker.engines.protocol import ModelFiles, Sizes
from worker.models import Models


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def models(network: Network) -> Models:
    return models_of(network, replicas=2, memory_bytes=12_000)


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
    assert network.closed == 6  # down to room for six with the new one


def test_a_model_that_cannot_be_had_lets_go_of_those_beside_it(
    models: Models, network: Network, ref: ModelRef
) -> None:
    gone = replace(ref, digest="0" * 64)
    with pytest.raises(FatalError, match="not the one"):
        models.acquire(ModelRef.composed("two", SEVERAL, {"numbers": ref, "other": gone}), PROFILE)
    models.acquire(ref, PROFILE)
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


def test_what_is_too_large_for_the_room_stays_until_another_comes(
    network: Network, tmp_path: Path
) -> None:
    models = models_of(network, replicas=2, memory_bytes=1)
    first, second = others(tmp_path, 2)
    for _ in range(3):
        models.release(models.acquire(first, PROFILE))
    assert (network.loaded, network.closed) == (2, 0)
    models.acquire(second, PROFILE)
    assert (network.loaded, network.closed) == (4, 2)


def test_a_profile_says_what_each_network_runs_on(models: Models, ref: ModelRef) -> None:
    own = NetworkProfile(OFFER, batch_size=3, threads=2)
    model = models.acquire(ref, replace(PROFILE, networks={ref.digest: own}))
    assert model.networks[0].key.profile == own
    assert model.networks[0].wanted == 3


def test_jobs_that_differ_elsewhere_share_a_network(
    models: Models, network: Network, ref: ModelRef
) -> None:
    models.acquire(ref, PROFILE)
    models.acquire(ref, replace(PROFILE, jpeg_quality=10))
    assert network.loaded == 2


def test_a_profile_for_another_engine_is_refused(models: Models, ref: ModelRef) -> None:
    with pytest.raises(FatalError, match=r"offers null/1/.*, and can't run null/2/"):
        models.acquire(ref, replace(PROFILE, version="2"))


class Slow(Network):
    """Loads the model in the directory `slow` no further than to the gate, and no `broken` one."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.loads: list[str] = []

    def load(
        self, model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> list[NumberFinder]:
        name = model.graph.parent.name
        self.loads.append(name)
        if name in {"slow", "broken"}:
            self.gate.wait()
        if name == "broken":
            raise FatalError("no such operator")
        return super().load(model, profile, way=way, sizes=sizes, count=count)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def slow_models(slow: Slow) -> Models:
    return models_of(slow, replicas=1, memory_bytes=1000)


def labelled(folder: Path, name: str) -> ModelRef:
    return write_model(folder / name, labels=("a", name))


def test_a_load_keeps_nobody_from_another_model(
    slow_models: Models, slow: Slow, tmp_path: Path
) -> None:
    held_up, other = labelled(tmp_path, "slow"), labelled(tmp_path, "other")
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(slow_models.acquire, held_up, PROFILE)
        slow.gate.until_reached()
        slow_models.release(slow_models.acquire(other, PROFILE))
        assert not loading.done()
        slow.gate.open()
        assert loading.result(PATIENCE).networks[0].export.labels == ("a", "slow")


def test_a_model_that_is_loading_is_loaded_once_for_all_who_ask(
    slow_models: Models, slow: Slow, tmp_path: Path
) -> None:
    held_up = labelled(tmp_path, "slow")
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(slow_models.acquire, held_up, PROFILE) for _ in range(3)]
        slow.gate.until_reached()
        slow.gate.open()
        found = {id(one.result(PATIENCE).networks[0]) for one in asked}
    assert len(found) == len(slow.loads) == 1


def test_a_load_that_failed_fails_for_all_who_waited_and_is_tried_anew(
    slow_models: Models, slow: Slow, tmp_path: Path
) -> None:
    broken = labelled(tmp_path, "broken")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slow_models.acquire, broken, PROFILE)
        slow.gate.until_reached()
        slow.gate.open()
        with pytest.raises(FatalError, match="no such operator"):
            waiting.result(PATIENCE)
    with pytest.raises(FatalError, match="no such operator"):
        slow_models.acquire(broken, PROFILE)
    assert slow.loads == ["broken", "broken"]


def test_what_is_loading_is_not_evicted(slow_models: Models, slow: Slow, tmp_path: Path) -> None:
    held_up = labelled(tmp_path, "slow")
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(slow_models.acquire, held_up, PROFILE)
        slow.gate.until_reached()
        for name in ("b", "c"):  # there is room for one only
            slow_models.release(slow_models.acquire(labelled(tmp_path, name), PROFILE))
        assert slow.closed == 1
        slow.gate.open()
        loading.result(PATIENCE)
    assert slow.closed == 2, "what waited for work made room, what was loaded is in use"


def test_a_composed_model_that_lets_go_can_be_evicted(
    slow_models: Models, slow: Slow, tmp_path: Path
) -> None:
    one, gone = labelled(tmp_path, "one"), replace(labelled(tmp_path, "gone"), digest="0" * 64)
    both = ModelRef.composed("two", SEVERAL, {"one": one, "gone": gone})
    with pytest.raises(FatalError, match="not the one"):
        slow_models.acquire(both, PROFILE)
    slow_models.acquire(labelled(tmp_path, "next"), PROFILE)
    assert slow.closed == 1, "nobody uses the first any more"
