from dataclasses import replace

from report.provenance import provenance
from tests.bench import PROFILE
from tests.unit.report.test_page import job


def test_the_engine_is_said_with_its_numerics() -> None:
    groups = provenance(job(profile=replace(PROFILE, numerics=2).to_json()))
    assert groups["Engine"] == {
        "engine": "null",
        "version": "1",
        "device": "cpu-test",
        "precision": "fp32",
        "batch size": "4",
        "threads": "1",
        "jpeg quality": "90",
        "numerics": "2",
    }
    assert provenance(job(profile=None))["Engine"] == {"profile": "not chosen yet"}


def test_ways_of_networks_are_listed() -> None:
    networks = {
        "a" * 64: {"way": "onednn", "why": "as plain Paddle"},
        "b" * 64: {"way": "plain", "why": ""},
    }
    found = provenance(job(profile={**PROFILE.to_json(), "networks": networks}))["Engine"]
    assert found[f"network {'a' * 12}"] == "onednn: as plain Paddle"
    assert found[f"network {'b' * 12}"] == "plain"


def test_a_job_that_was_moved_lists_what_it_was_moved_from() -> None:
    new = replace(PROFILE, numerics=2)
    moved = provenance(job(profile=new.to_json(), past_profiles=[PROFILE.to_json()]))
    assert moved["Engine of profile 0"]["numerics"] == "1"
    assert (moved["Engine"]["profile"], moved["Engine"]["numerics"]) == ("1", "2")
    freed = provenance(job(profile=None, past_profiles=[PROFILE.to_json()]))
    assert freed["Engine of profile 0"]["engine"] == "null"
    assert freed["Engine"] == {"profile": "not chosen yet"}


def test_several_sources_are_listed_by_their_names() -> None:
    sources = [["day", "/a/day/"], ["day-2", "/b/day/"]]
    found = provenance(job(selection={"limit": 3, "sources": sources}))
    assert found["Selection"] == {"limit": "3", "source day": "/a/day/", "source day-2": "/b/day/"}
    assert found["Job"]["source"] == "/a/day/, /b/day/"
