"""A model that cannot run is refused before any work starts."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from core.errors import UsageError
from store.jobs import list_jobs
from tests.acceptance.fleet import Fleet

Spoil = Callable[[Path], None]


def without_weights(model: Path) -> None:
    (model / "model.pdiparams").unlink()


def without_graph(model: Path) -> None:
    (model / "model.json").unlink()


def without_settings(model: Path) -> None:
    (model / "infer_cfg.yml").unlink()


def with_an_unknown_step(model: Path) -> None:
    _change(model, Preprocess=[{"type": "Frobnicate"}, {"type": "Permute"}])


def for_another_task(model: Path) -> None:
    _change(model, arch="FairMOT")


def of_an_unknown_architecture(model: Path) -> None:
    _change(model, arch="Tricorn")


def without_classes(model: Path) -> None:
    _change(model, label_list=[])


def _change(model: Path, **values: object) -> None:
    path = model / "infer_cfg.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without_weights, "no model.pdiparams"),
        (without_graph, "has no graph"),
        (without_settings, "infer_cfg.yml"),
        (with_an_unknown_step, "'Frobnicate' is unknown"),
        (for_another_task, "not a detector"),
        (of_an_unknown_architecture, "'Tricorn'"),
        (without_classes, "label_list"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_unfit_model_is_refused(
    fleet: Fleet, tmp_path: Path, pictures: Path, model: Path, spoil: Spoil, told: str
) -> None:
    spoilt = tmp_path / "model"
    shutil.copytree(model, spoilt)
    spoil(spoilt)
    with pytest.raises(UsageError, match=told):
        fleet.submit(pictures, spoilt)
    assert fleet.db.read(list_jobs) == []


def test_a_model_that_changes_after_submission_ends_its_job(
    fleet: Fleet, tmp_path: Path, pictures: Path, model: Path
) -> None:
    changed = tmp_path / "model"
    shutil.copytree(model, changed)
    job = fleet.submit(pictures, changed)
    (changed / "model.pdiparams").write_bytes(b"other weights")
    fleet.start()
    ended = fleet.until_ended(job)
    assert ended.state.value == "failed"
    assert "is not the one this job was submitted with" in (ended.error or "")
    counts = fleet.tally(job)
    assert (counts.pending, counts.cancelled) == (0, counts.listed)
