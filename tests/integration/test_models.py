from dataclasses import replace

import pytest

from core.errors import UsageError
from core.options import ModelRef
from store import models, rates
from tests.bench import MODEL, Bench


def add(bench: Bench, ref: ModelRef, classes: int = 1) -> None:
    bench.db.write(lambda s: models.add_model(s, ref, {"classes": classes}, now=bench.clock.now))


def test_a_model_is_found_by_its_name(bench: Bench) -> None:
    add(bench, MODEL)
    add(bench, replace(MODEL, name="another"))
    found = bench.db.read(lambda s: models.find_model(s, "m"))
    assert (found.task, found.digest, found.location) == ("detect", "d" * 64, "file:///models/m")
    assert (found.card, found.added_at) == ({"classes": 1}, 1000.0)
    assert [m.name for m in bench.db.read(models.list_models)] == ["another", "m"]


def test_the_same_model_may_be_added_again_from_elsewhere(bench: Bench) -> None:
    add(bench, MODEL)
    add(bench, replace(MODEL, location="file:///other"), classes=2)
    found = bench.db.read(lambda s: models.find_model(s, "m"))
    assert (found.location, found.card) == ("file:///other", {"classes": 2})


def test_a_name_stands_for_one_model(bench: Bench) -> None:
    add(bench, MODEL)
    with pytest.raises(UsageError, match=r"another digest, d{12}$") as caught:
        add(bench, replace(MODEL, digest="e" * 64))
    assert caught.value.hint is not None
    assert "--replace lets m stand for this one" in caught.value.hint
    assert bench.db.read(lambda s: models.find_model(s, "m")).digest == "d" * 64


def replace_with(bench: Bench, ref: ModelRef) -> ModelRef | None:
    bench.clock.now += 1
    now = bench.clock.now
    return bench.db.write(lambda s: models.add_model(s, ref, {}, now=now, replace=True))


def test_a_name_may_be_made_to_stand_for_another_model(bench: Bench) -> None:
    other = replace(MODEL, digest="e" * 64, location="file:///models/new")
    assert replace_with(bench, MODEL) is None, "there was none before"
    assert replace_with(bench, other) == MODEL
    assert replace_with(bench, other) is None, "it is the same; the earlier one stays known"
    found = bench.db.read(lambda s: models.find_model(s, "m"))
    earlier = {"digest": MODEL.digest, "location": MODEL.location, "until": 1002.0}
    assert (found.digest, found.location) == (other.digest, other.location)
    assert found.card == {models.PREVIOUS: earlier}
    assert replace_with(bench, MODEL) == other, "and back again"


def test_a_name_keeps_its_task(bench: Bench) -> None:
    add(bench, MODEL)
    with pytest.raises(UsageError, match="for the task 'detect', and this one for 'segment'"):
        replace_with(bench, replace(MODEL, digest="e" * 64, task="segment"))
    assert bench.db.read(lambda s: models.find_model(s, "m")).digest == MODEL.digest


def test_a_removed_model_is_gone(bench: Bench) -> None:
    add(bench, MODEL)
    assert bench.db.write(lambda s: models.remove_model(s, "m"))
    assert not bench.db.write(lambda s: models.remove_model(s, "m"))
    with pytest.raises(UsageError, match="no model 'm'"):
        bench.db.read(lambda s: models.find_model(s, "m"))


def note(bench: Bench, rate: float) -> None:
    bench.db.write(lambda s: rates.note_rate(s, "d", "e", rate, now=bench.clock.now))


def test_a_rate_follows_what_is_measured(bench: Bench) -> None:
    assert bench.db.read(lambda s: rates.rate_of(s, "d", "e")) is None
    note(bench, 100.0)
    assert bench.db.read(lambda s: rates.rate_of(s, "d", "e")) == 100.0
    note(bench, 200.0)
    assert bench.db.read(lambda s: rates.rate_of(s, "d", "e")) == pytest.approx(130.0)
    assert bench.db.read(lambda s: rates.rate_of(s, "d", "other")) is None
    for _ in range(40):
        note(bench, 50.0)
    assert bench.db.read(lambda s: rates.rate_of(s, "d", "e")) == pytest.approx(50.0, rel=1e-3)
