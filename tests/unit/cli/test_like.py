"""Job files, and jobs that are like others."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.options import JobOptions, ModelRef
from core.states import JobState
from registry.chosen_model import describe
from scheduler.manifest import job_manifest
from store import models
from store.jobs import Tally, find_job
from store.tables import Job
from tests.bench import OPTIONS, Bench
from tests.unit.cli.conftest import CONFIG, Regatta

ALL = ["--threshold", "0.4", "--slice", "64x32", "--merge", "nms", "--since", "1970-01-02"]
ALL += ["--min-size", "2", "--include", "*.jpg", "--tag", "night", "--priority", "7"]
ALL += ["--name", "Möwen", "--shard-items", "3", "--no-annotate"]
KEPT = ("source", "model", "options", "selection", "tags", "priority", "name")


def newest(bench: Bench) -> Job:
    return bench.db.read(lambda s: find_job(s, "latest"))


def submitted(bench: Bench, regatta: Regatta, *words: str) -> tuple[Job, str]:
    bench.clock.now += 1
    result = regatta("submit", *words)
    assert result.exit_code == 0, result.stderr
    return bench.read_job(result.stdout.strip()), result.stderr


def kept(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in KEPT}


def refused(regatta: Regatta, *words: str) -> str:
    result = regatta("submit", *words)
    assert result.exit_code == 2, result.stdout
    return result.stderr


@pytest.fixture
def first(bench: Bench, regatta: Regatta, photos: Path, model: Path) -> Job:
    return submitted(bench, regatta, str(photos), "--model", str(model), *ALL)[0]


@pytest.mark.parametrize("ref", ["id", "prefix", "latest", "name", "manifest", "folder", "url"])
def test_a_job_like_another_is_the_same(
    ref: str, bench: Bench, regatta: Regatta, first: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the settings say now is not what they said then.
    monkeypatch.setenv("REGATTA_JPEG_QUALITY", "11")
    monkeypatch.setenv("REGATTA_MAX_PIXELS", "12345")
    counts = Tally(0, 0, 0, 0, 0, 0, 0, {})
    manifest = job_manifest(first, JobState.SUCCEEDED, counts, [], finished=1.0)
    Path(first.output).mkdir(parents=True, exist_ok=True)
    place = Path(first.output) / "manifest.json"
    place.write_text(json.dumps(manifest))
    refs = {
        "id": first.id,
        "prefix": first.id[:4],
        "latest": "latest",
        "name": "Möwen",
        "manifest": str(place),
        "folder": f"{first.output}/",
        "url": f"file://{place}",
    }
    second, said = submitted(bench, regatta, "--like", refs[ref])
    assert second.id != first.id
    assert second.output != first.output
    before, now = kept(first), kept(second)
    # Nothing is drawn, so that the quality of pictures says nothing.
    before["options"] = {**before["options"], "jpeg_quality": 11}
    assert now == before
    assert "left out" not in said


def test_what_is_typed_wins_and_is_named(
    bench: Bench, regatta: Regatta, first: Job, tmp_path: Path
) -> None:
    other = tmp_path / "others"
    other.mkdir()
    (other / "x.jpg").write_bytes(b"12345")
    words = [str(other), "--like", first.id, "--threshold", "0.9", "--annotate"]
    job, said = submitted(bench, regatta, *words)
    assert job.source == f"{other}/"
    options = JobOptions.from_json(job.options)
    assert (options.rows.threshold, options.drawing.annotate) == (0.9, True)
    assert options.rows.slicing == JobOptions.from_json(first.options).rows.slicing
    assert f"not as in {first.id}: rows, drawing (rows may differ)" in said


def test_what_another_model_does_not_heed_is_left_out_and_named(
    bench: Bench, regatta: Regatta, first: Job, tmp_path: Path
) -> None:
    folder = tmp_path / "pose"
    folder.mkdir()
    steps = [{"type": "EvalAffine", "size": 512}, {"type": "Permute"}]
    config = {"arch": "HigherHRNet", "Preprocess": steps, "label_list": ["person"]}
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    (folder / "model.json").write_text("{}")
    (folder / "model.pdiparams").write_bytes(b"joints")
    job, said = submitted(bench, regatta, "--like", first.id, "--model", str(folder))
    assert "left out: --slice means nothing to 'pose' (task keypoint)" in said
    assert "left out: --merge says how tiles are cut" in said
    assert JobOptions.from_json(job.options).rows.slicing is None
    assert (job.request or {}).keys().isdisjoint({"slice", "merge"})
    words = ["--like", first.id, "--model", str(folder), "--slice", "64"]
    assert "--slice means nothing to 'pose'" in refused(regatta, *words)


def test_a_model_is_the_very_one_of_that_job(
    bench: Bench, regatta: Regatta, first: Job, model: Path
) -> None:
    moved = model.rename(model.with_name("moved"))
    assert "not there any more as that job had it" in refused(regatta, "--like", first.id)
    ref = describe(moved)
    named = ModelRef("exported", ref.task, ref.digest, ref.location)
    bench.db.write(lambda s: models.add_model(s, named, {}, now=1.0))
    job, _ = submitted(bench, regatta, "--like", first.id)
    assert ModelRef.from_json(job.model).digest == ModelRef.from_json(first.model).digest
    assert job.model["location"] == str(moved)


def test_a_keypoint_models_detector_can_be_another(
    bench: Bench, regatta: Regatta, photos: Path, tmp_path: Path
) -> None:
    steps = [{"type": "TopDownEvalAffine", "trainsize": [96, 128]}, {"type": "Permute"}]
    configs = {
        "pose": {"arch": "HRNet", "Preprocess": steps, "label_list": ["person"]},
        "one": CONFIG | {"label_list": ["person"]},
        "two": CONFIG | {"label_list": ["person", "boat"]},
    }
    for name, config in configs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "infer_cfg.yml").write_text(yaml.safe_dump(config))
        (tmp_path / name / "model.json").write_text("{}")
        (tmp_path / name / "model.pdiparams").write_bytes(name.encode())
    pose, one, two = (str(tmp_path / name) for name in configs)
    first, _ = submitted(bench, regatta, str(photos), "--model", pose, "--detector", one)
    again, _ = submitted(bench, regatta, "--like", first.id)
    assert again.model == first.model
    other, _ = submitted(bench, regatta, "--like", first.id, "--detector", two)
    assert other.model["parts"]["detector"]["location"] == two
    assert other.model["parts"]["keypoint"] == first.model["parts"]["keypoint"]


def test_jobs_of_versions_that_kept_no_request(
    bench: Bench, regatta: Regatta, first: Job, photos: Path
) -> None:
    job = bench.read_job(first.id)
    job.request = job.effective = None
    bench.db.write(lambda s: s.merge(job))
    second, _ = submitted(bench, regatta, "--like", first.id)
    same = ("source", "model", "options", "selection", "tags", "priority")
    assert [getattr(second, name) for name in same] == [getattr(first, name) for name in same]


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nosuch", "no job 'nosuch'"),
        ("/nowhere/manifest.json", "cannot be read"),
        ("photos/other.json", "is no manifest of a job"),
        ("nosuch.toml", "cannot be read"),
    ],
)
def test_what_no_job_can_be_like(
    ref: str, message: str, regatta: Regatta, photos: Path, bench: Bench
) -> None:
    (photos / "other.json").write_text('{"items": 3}')
    where = str(photos.parent / ref) if ref.startswith("photos") else ref
    assert message in refused(regatta, "--like", where)


def test_a_job_of_a_newer_version_is_no_model_for_others(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", options={**OPTIONS.to_json(), "tracker": "byte"})
    result = regatta("submit", "--like", "abc")
    assert result.exit_code == 1
    assert "needs a newer Regatta: option 'tracker'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_saved_job_file_makes_the_same_job(
    bench: Bench, regatta: Regatta, first: Job, photos: Path, model: Path, tmp_path: Path
) -> None:
    words = [str(photos), "--model", str(model), *ALL]
    result = regatta("submit", *words, "--save", "job.toml")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert newest(bench).id == first.id
    job, _ = submitted(bench, regatta, "job.toml")
    assert kept(job) == kept(first)
    # Not over what is there.
    assert "cannot be written" in refused(regatta, *words, "--save", "job.toml")
    assert "end it in .toml" in refused(regatta, *words, "--save", "job.json")


def test_a_job_is_saved_as_a_file(bench: Bench, regatta: Regatta, first: Job) -> None:
    result = regatta("run", "--like", first.id, "--save", "again.toml")
    assert result.exit_code == 0, result.stderr
    job, _ = submitted(bench, regatta, "again.toml")
    assert kept(job) == kept(first)


def test_paths_of_a_job_file_start_at_it_and_what_is_typed_wins(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    (photos.parent / "job.toml").write_text(
        f'source = "{photos.name}/"\nmodel = "./{model.name}"\nthreshold = 0.3\nalpha = 0.2\n'
        'output = "out"\n'
    )
    file = str(photos.parent / "job.toml")
    job, said = submitted(bench, regatta, file, "--threshold", "0.6")
    assert job.source == f"{photos}/"
    assert job.model["location"] == str(model)
    assert job.output == str(photos.parent / "out")
    assert job.options["threshold"] == 0.6
    assert "left out: --alpha means nothing to 'exported' (task detect)" in said
    other, _ = submitted(bench, regatta, str(photos), "--like", file, "--output", "other")
    assert other.options["threshold"] == 0.3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("treshold = 1", "did you mean 'threshold'?"),
        ("model = 'm'", "names no source"),
        ("source = 'photos/'", "Missing option '--model'"),
        ("source", "it is no TOML"),
        ("threshold = 2\nmodel = 'm'\nsource = 'photos/'", "--threshold must be between 0 and 1"),
    ],
)
def test_job_files_that_cannot_be_run(
    bench: Bench, regatta: Regatta, text: str, message: str
) -> None:
    Path("job.toml").write_text(text)
    assert message in refused(regatta, "job.toml")
    assert bench.db.read(lambda s: s.query(Job).count()) == 0


@pytest.mark.parametrize(
    "words", [["--polygons"], ["--alpha", "0.5"], ["--background", "red"], ["--merge", "nmm"]]
)
def test_what_was_typed_and_nothing_heeds_is_refused(
    bench: Bench, regatta: Regatta, photos: Path, model: Path, words: list[str]
) -> None:
    said = refused(regatta, str(photos), "--model", str(model), *words)
    assert said.startswith(f"error: {words[0]} ")
    assert f"leave {words[0]} out" in said


def test_the_manifest_says_what_holds(
    bench: Bench, regatta: Regatta, photos: Path, model: Path
) -> None:
    job, _ = submitted(bench, regatta, str(photos), "--model", str(model))
    counts = Tally(0, 0, 0, 0, 0, 0, 0, {})
    manifest = job_manifest(job, JobState.SUCCEEDED, counts, [], finished=1.0)
    assert manifest["options"]["threshold"] is None
    assert manifest["effective"]["exported"]["threshold"] == 0.4
    assert manifest["request"] == {"source": f"{photos}/", "model": [str(model)]}
    assert manifest["digests"].keys() == {"model", "rows", "drawing", "limits", "planning"}


def test_a_job_that_runs_no_model_is_nothing_to_be_like(bench: Bench, regatta: Regatta) -> None:
    bench.job("abc", kind="render")
    assert "job abc runs no model" in refused(regatta, "--like", "abc")
