import dataclasses
import itertools
import json
from typing import Any

import pytest

from core.batching import NetworkTraits, Shapes
from core.errors import FatalError, UsageError
from core.profile import (
    EngineOffer,
    ExecutionProfile,
    NetworkProfile,
    Offered,
    best_choice,
    best_offer,
    joint_offer,
    profile_on,
)

OFFER = EngineOffer(engine="paddle", version="3.2.2", device="cpu-avx512", precision="fp32")
PROFILE = ExecutionProfile(
    engine="paddle",
    version="3.2.2",
    device="cpu-avx512",
    precision="fp32",
    batch_size=8,
    threads=1,
    jpeg_quality=90,
)


def test_a_profile_survives_json() -> None:
    assert ExecutionProfile.from_json(json.loads(json.dumps(PROFILE.to_json()))) == PROFILE
    assert EngineOffer.from_json(json.loads(json.dumps(OFFER.to_json()))) == OFFER


def test_what_a_newer_version_adds_is_passed_over() -> None:
    assert ExecutionProfile.from_json({**PROFILE.to_json(), "encoder": "x264"}) == PROFILE
    assert EngineOffer.from_json(PROFILE.to_json()) == OFFER


@pytest.mark.parametrize("name", [*OFFER.to_json(), "batch_size"])
def test_a_missing_field_is_named(name: str) -> None:
    data = PROFILE.to_json()
    del data[name]

    with pytest.raises(FatalError, match=f"profile lacks {name}$"):
        ExecutionProfile.from_json(data)


def test_a_missing_number_has_its_default() -> None:
    data = PROFILE.to_json()
    del data["threads"], data["jpeg_quality"]
    assert ExecutionProfile.from_json(data) == PROFILE


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", "8"), ("threads", True), ("version", 3), ("device", None)]
)
def test_a_field_of_the_wrong_type_is_named(name: str, value: Any) -> None:
    with pytest.raises(FatalError, match=f"{name} must be (int|str), not"):
        ExecutionProfile.from_json({**PROFILE.to_json(), name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", 0), ("threads", 0), ("jpeg_quality", 0), ("jpeg_quality", 101)],
)
def test_numbers_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=str(value)):
        ExecutionProfile.from_json({**PROFILE.to_json(), name: value})


def test_it_runs_on_the_offer_that_it_was_made_for() -> None:
    assert PROFILE.offer == OFFER
    assert PROFILE.runs_on([OFFER])
    assert PROFILE.runs_on([dataclasses.replace(OFFER, engine="onnx"), OFFER])
    assert not PROFILE.runs_on([])
    assert dataclasses.replace(PROFILE, batch_size=1, threads=4).runs_on([OFFER])


@pytest.mark.parametrize(
    ("name", "value"),
    [("engine", "onnx"), ("version", "3.2.3"), ("device", "cpu-avx2"), ("precision", "fp16")],
)
def test_any_other_offer_is_none_of_its(name: str, value: str) -> None:
    assert not PROFILE.runs_on([EngineOffer.from_json({**OFFER.to_json(), name: value})])


SECOND = dataclasses.replace(OFFER, numerics=2)


def test_the_revision_of_numerics_tells_offers_apart() -> None:
    profile = ExecutionProfile.of(SECOND, batch_size=8, jpeg_quality=90)
    assert profile.offer == SECOND
    assert profile.runs_on([SECOND])
    assert not profile.runs_on([OFFER])
    assert not PROFILE.runs_on([SECOND])
    assert profile == dataclasses.replace(PROFILE, numerics=2)


def test_workers_that_know_no_revisions_read_another_version() -> None:
    assert SECOND.to_json() == {**OFFER.to_json(), "version": "3.2.2+r2"}
    assert SECOND.key == "paddle/3.2.2+r2/cpu-avx512/fp32"
    assert OFFER.to_json()["version"] == "3.2.2"
    assert OFFER.key == "paddle/3.2.2/cpu-avx512/fp32"


@pytest.mark.parametrize("version", ["3.2.2", "3.2.2+cu118", "0.0.0+r", "r2", "3+r2+gpu"])
@pytest.mark.parametrize("numerics", [1, 2, 13])
def test_any_version_and_revision_survive_json(version: str, numerics: int) -> None:
    offer = dataclasses.replace(OFFER, version=version, numerics=numerics)
    assert EngineOffer.from_json(json.loads(json.dumps(offer.to_json()))) == offer
    profile = ExecutionProfile.of(offer, batch_size=1, threads=2, jpeg_quality=90)
    assert ExecutionProfile.from_json(json.loads(json.dumps(profile.to_json()))) == profile


def test_the_ways_that_a_job_froze_are_no_part_of_its_profile() -> None:
    networks = {"d" * 64: {"way": "onednn", "why": "as plain Paddle"}}
    assert ExecutionProfile.from_json({**PROFILE.to_json(), "networks": networks}) == PROFILE


GPU = EngineOffer("paddle", "3.2.2", "gpu-sm90", "fp32")
ONNX = EngineOffer("onnx", "1.20", "cpu-avx512", "fp32")


def test_of_offers_that_are_else_alike_the_newest_numerics_are_best() -> None:
    gpu = Offered(GPU)
    for offers in itertools.permutations([Offered(OFFER), Offered(SECOND)]):
        assert best_offer(offers) == Offered(SECOND)
    assert best_offer([Offered(SECOND), gpu]) == gpu
    assert best_offer([]) is None


def test_the_rank_decides_over_the_alphabet_and_over_the_device() -> None:
    slow, fast = Offered(OFFER, rank=1.0), Offered(ONNX, rank=1.5)
    for offers in itertools.permutations([slow, fast, Offered(GPU, rank=0.5)]):
        assert best_offer(offers) == fast
    # Who says nothing counts as a CPU or a GPU does.
    assert best_offer([Offered(OFFER), fast]) == fast
    assert best_offer([Offered(GPU), fast]) == Offered(GPU)


def test_what_was_measured_on_a_network_counts_for_that_network() -> None:
    paddle, onnx = Offered(OFFER, rank=1.0), Offered(ONNX, rank=0.5, measured={"d": 3.0})
    assert best_offer([paddle, onnx], "d") == onnx
    assert best_offer([paddle, onnx], "e") == paddle


def test_what_is_said_beside_an_offer_survives_json() -> None:
    offered = Offered(OFFER, rank=2.5, batch=16, measured={"d" * 64: 3.0})
    data = json.loads(json.dumps(offered.to_json()))
    assert Offered.from_json(data) == offered
    assert EngineOffer.from_json(data) == OFFER
    assert Offered.from_json(OFFER.to_json()) == Offered(OFFER)


def test_networks_run_on_what_one_worker_offers() -> None:
    paddle = Offered(OFFER, rank=1.0, measured={"a": 2.0})
    onnx = Offered(ONNX, rank=1.0, measured={"b": 2.0})
    gone = Offered(GPU, rank=1.4)
    assert best_choice([[paddle, onnx], [gone]], ["a", "b"]) == {"a": paddle, "b": onnx}
    assert best_choice([[paddle], [onnx], [gone]], ["a", "b"]) == {"a": gone, "b": gone}
    assert best_choice([[], []], ["a"]) is None


def test_the_smallest_batch_that_is_stated_suits_all_devices_of_a_class() -> None:
    workers = [[Offered(GPU, batch=32)], [Offered(GPU, batch=16)], [Offered(GPU)]]
    for order in itertools.permutations(workers):
        choice = best_choice(order, ["d"])
        assert choice is not None
        assert choice["d"].batch == 16


SHARED, OWN, LINES = (NetworkTraits(shapes) for shapes in (Shapes.SHARED, Shapes.OWN, Shapes.LINES))
PART = dataclasses.replace(OWN, is_whole=False)
ONE = NetworkTraits(Shapes.SHARED, largest_batch=1)


@pytest.mark.parametrize(
    ("networks", "asked", "stated", "sizes"),
    [
        ([SHARED], None, None, [8]),
        ([OWN], None, None, [1]),
        ([OWN], 4, None, [4]),
        ([SHARED], 4, None, [4]),
        ([SHARED], None, 32, [32]),
        ([SHARED], 2, 32, [2]),
        ([OWN], None, 32, [1]),
        ([ONE], None, 32, [1]),
        ([ONE], 16, None, [1]),
        ([PART, SHARED], None, None, [1, 8]),
        ([PART, PART], None, None, [1, 1]),
        ([PART, SHARED], 4, None, [1, 4]),
        ([PART, ONE, LINES], None, None, [1, 1, 4]),
        ([PART, LINES], 1, None, [1, 1]),
        ([SHARED, OWN], None, None, [8, 8]),
    ],
)
def test_batches_are_what_a_person_says_or_what_suits_device_and_graph(
    networks: list[NetworkTraits], asked: int | None, stated: int | None, sizes: list[int]
) -> None:
    named = {str(number): traits for number, traits in enumerate(networks)}
    choice = dict.fromkeys(named, Offered(OFFER, batch=stated))
    profile = profile_on(choice, named, batch_size=asked, jpeg_quality=90)
    assert [profile.networks[name].batch_size for name in named] == sizes
    # What workers of earlier releases make of it is the same.
    assert [traits.batch_size(profile.batch_size) for traits in networks] == sizes


def test_each_network_has_the_batch_that_suits_its_own_device() -> None:
    choice = {"a": Offered(OFFER), "b": Offered(GPU, batch=32)}
    profile = profile_on(choice, {"a": SHARED, "b": SHARED}, batch_size=None, jpeg_quality=90)
    assert {name: one.batch_size for name, one in profile.networks.items()} == {"a": 8, "b": 32}


def test_traits_survive_json_and_unknown_ones_are_taken_for_the_worst() -> None:
    for traits in (SHARED, OWN, LINES, PART, ONE):
        assert NetworkTraits.from_json(json.loads(json.dumps(traits.to_json()))) == traits
    assert NetworkTraits.from_json({"shapes": "ragged", "more": 1}) == OWN


ALIKE = dataclasses.replace(
    PROFILE, networks={"a": NetworkProfile(OFFER, 8), "b": NetworkProfile(OFFER, 1, threads=2)}
)


def test_a_profile_of_one_offer_reads_as_before() -> None:
    data = json.loads(json.dumps(ALIKE.to_json()))
    assert {name: data[name] for name in PROFILE.to_json()} == PROFILE.to_json()
    assert data["per_network"] == {
        "a": {"batch_size": 8, "threads": 1},
        "b": {"batch_size": 1, "threads": 2},
    }
    assert ExecutionProfile.from_json(data) == ALIKE
    assert ALIKE.offers == {OFFER}
    # `networks` are the ways, each of which earlier releases read: none is written without one.
    assert "networks" not in data


def test_what_is_missing_for_a_network_is_the_jobs() -> None:
    data = PROFILE.to_json() | {"per_network": {"a": {"batch_size": 2, "new": 1}, "b": {}}}
    assert ExecutionProfile.from_json(data).networks == {
        "a": NetworkProfile(OFFER, 2),
        "b": NetworkProfile(OFFER, 8),
    }
    with pytest.raises(FatalError, match="network a: batch_size must be int, not '2'"):
        ExecutionProfile.from_json(PROFILE.to_json() | {"per_network": {"a": {"batch_size": "2"}}})


@pytest.mark.parametrize("other", [ONNX, GPU, SECOND, dataclasses.replace(OFFER, precision="fp16")])
def test_a_profile_of_two_offers_needs_both(other: EngineOffer) -> None:
    choice = {"a": Offered(OFFER), "b": Offered(other)}
    profile = profile_on(choice, {"a": SHARED, "b": SHARED}, batch_size=None, jpeg_quality=90)
    assert profile.networks["b"].offer == other
    assert profile.runs_on([OFFER, other])
    assert not profile.runs_on([OFFER])
    assert not profile.runs_on([other])
    assert ExecutionProfile.from_json(json.loads(json.dumps(profile.to_json()))) == profile
    # Earlier releases go by the fields at the top: no worker of theirs takes it for its own.
    assert EngineOffer.from_json(profile.to_json()) not in {OFFER, other}
    assert profile.key == joint_offer([other, OFFER]).key
