"""Models on record are what their files say, without a look at these."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from registry import shipped
from registry.chosen_model import describe, model_in_files, model_on_record
from registry.recording import recording_of
from sample.shipped import MODELS, SHOWN
from store import models
from store.database import Database
from store.tables import Model
from tests.bench import Bench


@pytest.fixture
def db(sqlite_bench: Bench) -> Database:
    return sqlite_bench.db


def put_on_record(db: Database, named: str) -> str:
    recording = recording_of(db, named)
    db.write(lambda s: recording.write(s, now=1.0))
    return recording.name


def forget_facts(db: Database, name: str) -> None:
    """Make a model's row as an earlier version wrote it."""

    def work(session: Any) -> None:
        row = session.get_one(Model, name)
        row.card = {key: value for key, value in row.card.items() if key != "facts"}

    db.write(work)


def test_what_was_noted_of_shipped_models_is_still_so() -> None:
    noted = shipped.NOTED.read_text(encoding="utf-8")
    assert noted == shipped.noted(), "python -m registry.shipped writes it anew"
    places = [*SHOWN.values(), *(each.directory for each in MODELS.values())]
    assert set(shipped.shipped_models().values()) == {place.resolve() for place in places}


@pytest.mark.parametrize("name", shipped.shipped_models())
def test_a_shipped_model_on_record_is_as_in_its_files(db: Database, name: str) -> None:
    assert model_on_record(db, name) == model_in_files(db, name)
    assert put_on_record(db, name) == name
    assert db.read(models.list_models) == []


def test_a_registered_model_on_record_is_as_in_its_files(db: Database, blob_detector: Path) -> None:
    name = put_on_record(db, str(blob_detector))
    assert name == describe(blob_detector).name
    assert model_on_record(db, name) == model_in_files(db, name)


def test_so_is_a_composed_one(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "crew.toml"
    folder = shipped.EXPORTS
    file.write_text(
        f'task = "keypoint"\n[parts]\ndetector = "{folder}/regatta_fcos_384"\n'
        f'keypoint = "{folder}/regatta_pose_128x96"\n[options]\npeople = ["rower"]\n'
    )
    assert put_on_record(db, str(file)) == "crew"
    assert model_on_record(db, "crew") == model_in_files(db, "crew")


def test_what_an_earlier_version_left_out_is_noted_once(db: Database, blob_detector: Path) -> None:
    name = put_on_record(db, str(blob_detector))
    forget_facts(db, name)
    with pytest.raises(UsageError, match="earlier version registered") as caught:
        model_on_record(db, name)
    assert f"models add {name} {blob_detector.resolve()}" in (caught.value.hint or "")
    assert put_on_record(db, name) == name
    assert model_on_record(db, name) == model_in_files(db, name)
    assert put_on_record(db, name) == name
    assert recording_of(db, name).card is None


def test_models_without_a_name_are_not_on_record(db: Database, blob_detector: Path) -> None:
    for named in (str(blob_detector), describe(blob_detector), "nosuch"):
        with pytest.raises(UsageError):
            model_on_record(db, named)
