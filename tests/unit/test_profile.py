import dataclasses
import itertools
import json
from typing import Any

import pytest

from core.errors import FatalError, UsageError
from core.profile import EngineOffer, ExecutionProfile, best_offer, profile_for

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


@pytest.mark.parametrize("name", list(PROFILE.to_json()))
def test_a_missing_field_is_named(name: str) -> None:
    data = PROFILE.to_json()
    del data[name]

    with pytest.raises(FatalError, match=f"profile lacks {name}$"):
        ExecutionProfile.from_json(data)


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
    assert PROFILE.runs_on(OFFER)
    assert dataclasses.replace(PROFILE, batch_size=1, threads=4).runs_on(OFFER)


@pytest.mark.parametrize(
    ("name", "value"),
    [("engine", "onnx"), ("version", "3.2.3"), ("device", "cpu-avx2"), ("precision", "fp16")],
)
def test_any_other_offer_is_none_of_its(name: str, value: str) -> None:
    assert not PROFILE.runs_on(EngineOffer.from_json({**OFFER.to_json(), name: value}))


SECOND = dataclasses.replace(OFFER, numerics=2)


def test_the_revision_of_numerics_tells_offers_apart() -> None:
    profile = ExecutionProfile.of(SECOND, batch_size=8, jpeg_quality=90)
    assert profile.offer == SECOND
    assert profile.runs_on(SECOND)
    assert not profile.runs_on(OFFER)
    assert not PROFILE.runs_on(SECOND)
    assert profile_for(SECOND, batch_size=8, jpeg_quality=90) == profile
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


def test_of_offers_that_are_else_alike_the_newest_numerics_are_best() -> None:
    gpu = EngineOffer("paddle", "3.2.2", "gpu-sm90", "fp32")
    for offers in itertools.permutations([OFFER, SECOND]):
        assert best_offer(offers) == SECOND
    assert best_offer([SECOND, gpu]) == gpu
