import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import update
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.options import SEVERAL, JobOptions, ModelRef
from core.request import JobRequest
from core.sample import Sample
from core.selection import Selection
from core.slicing import Slicing
from core.states import JobState
from registry.cards import composed_card
from registry.chosen_model import choose_composed, describe
from registry.composition import read_composition
from scheduler.submit import JobDefaults, submit
from store import models
from store.database import Database
from store.references import referring_to
from store.tables import Job
from tests.bench import Bench

CONFIG: dict[str, Any] = {
    "arch": "YOLO",
    "draw_threshold": 0.4,
    "label_list": ["boat", "buoy"],
    "Preprocess": [
        {"type": "Resize", "target_size": [64, 64], "keep_ratio": False, "interp": 2},
        {"type": "Permute"},
    ],
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(CONFIG))
    (folder / "model.json").write_text("{}")
    (folder / "model.pdiparams").write_bytes(b"weights")
    return folder


@pytest.fixture
def request_(tmp_path: Path, model: Path) -> dict[str, Any]:
    """A request that is accepted."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    return {"source": str(tmp_path / "photos"), "model": str(model)}


def send(bench: Bench, request: dict[str, Any], **more: Any) -> Job:
    defaults = JobDefaults(str(bench.root / "outputs"), 10, 20, 90)
    return submit(bench.db, asked(**request | more), defaults, rng=random.Random(1))


def asked(source: str, model: str, more_models: tuple[str, ...] = (), **said: Any) -> JobRequest:
    return JobRequest.of(source, model, *more_models, **said)


def test_a_job_waits_to_be_planned(bench: Bench, request_: dict[str, Any]) -> None:
    job = bench.read_job(send(bench, request_).id)
    assert (job.state, job.task, job.name) == (JobState.PLANNING, "detect", "photos")
    assert job.output == str(bench.root / "outputs" / job.id)
    assert job.created_at == 1000.0
    assert job.profile is None
    assert not (bench.root / "outputs" / job.id / "_attempts" / f"probe-{job.id}").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"threshold": 1.1}, "--threshold must be between 0 and 1"),
        ({"threshold": float("nan")}, "--threshold"),
        ({"priority": 10}, "--priority must be 0 to 9"),
        ({"shard_items": 0}, "--shard-items must be at least 1"),
        ({"batch_size": 2000}, "--batch-size must be 1 to 1024"),
        ({"slice": (640, 31)}, "--slice must be at least 32x32"),
        ({"slice": (640, 640), "overlap": 1.0}, "--overlap must be between 0 and 0.9"),
        ({"limit": 0}, "--limit must be at least 1"),
        ({"min_size": -1}, "--min-size must be at least 0"),
        ({"min_size": 2, "max_size": 1}, "nothing would be left"),
        ({"tag": ("a\nb",)}, "cannot be a tag"),
        ({"name": "x" * 201}, "cannot be a name"),
        ({"model": "nosuch"}, "no model 'nosuch'"),
        ({"source": "/nowhere/at/all"}, "no folder"),
    ],
)
def test_what_cannot_be_done_is_refused(
    bench: Bench, request_: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        send(bench, request_, **more)
    assert bench.db.read(lambda s: s.query(Job).count()) == 0


def test_an_output_in_a_folder_that_is_read_is_refused(
    bench: Bench, request_: dict[str, Any]
) -> None:
    for source in (request_["source"], f"{request_['source']}/*.jpg"):
        with pytest.raises(UsageError, match="lies in the source"):
            send(bench, request_, source=source, output=f"{request_['source']}/out")
    (bench.root / "link").symlink_to(request_["source"])
    with pytest.raises(UsageError, match="lies in the source"):
        send(bench, request_, output=str(bench.root / "link" / "out"))


def test_an_output_beside_a_single_file_or_a_list_is_fine(
    bench: Bench, request_: dict[str, Any]
) -> None:
    (bench.root / "all.txt").write_text("photos/a.jpg")
    for number, source in enumerate([f"{request_['source']}/a.jpg", f"{bench.root}/all.txt"]):
        output = str(Path(source).parent / "out" / str(number))
        request = JobRequest.of(source, request_["model"], output=output)
        defaults = JobDefaults(str(bench.root / "outputs"), 10, 20, 90)
        assert submit(bench.db, request, defaults).output == output


def test_an_output_has_one_job(bench: Bench, request_: dict[str, Any]) -> None:
    job = send(bench, request_, output=f"{bench.root}/out")
    with pytest.raises(UsageError, match=f"belongs to job {job.id}"):
        send(bench, request_, output=f"{bench.root}/out/")
    (bench.root / "old").mkdir()
    (bench.root / "old" / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="belongs to a job"):
        send(bench, request_, output=f"{bench.root}/old")


def test_an_output_that_cannot_be_written_is_refused(
    bench: Bench, request_: dict[str, Any]
) -> None:
    (bench.root / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        send(bench, request_, output=f"{bench.root}/file/out")


def register(bench: Bench, model: Path, name: str = "mine", **changes: Any) -> None:
    ref = describe(model)
    values = {"task": ref.task, "digest": ref.digest, "location": ref.location} | changes
    added = type(ref)(name=name, **values)
    bench.db.write(lambda s: models.add_model(s, added, {}, now=1.0))


def test_a_registered_model_goes_by_its_name(
    bench: Bench, request_: dict[str, Any], model: Path
) -> None:
    register(bench, model)
    job = send(bench, request_, model="mine")
    assert job.model == {
        "name": "mine",
        "task": "detect",
        "digest": describe(model).digest,
        "location": str(model),
    }


def test_a_model_that_changed_since_it_was_registered_is_refused(
    bench: Bench, request_: dict[str, Any], model: Path
) -> None:
    register(bench, model)
    (model / "model.pdiparams").write_bytes(b"other weights")
    with pytest.raises(UsageError, match="not those that were registered"):
        send(bench, request_, model="mine")


def test_a_model_for_another_task_is_refused(
    bench: Bench, request_: dict[str, Any], model: Path
) -> None:
    register(bench, model, task="track")
    with pytest.raises(UsageError, match="for the task 'track'"):
        send(bench, request_, model="mine")


def keypoint_model(folder: Path, arch: str = "HRNet") -> Path:
    first = {"type": "TopDownEvalAffine", "trainsize": [96, 128]}
    if arch == "HigherHRNet":
        first = {"type": "EvalAffine", "size": 512}
    config = {"arch": arch, "Preprocess": [first, {"type": "Permute"}], "label_list": ["person"]}
    folder.mkdir()
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    (folder / "model.json").write_text("{}")
    (folder / "model.pdiparams").write_bytes(b"joints")
    return folder


def people_detector(folder: Path) -> Path:
    folder.mkdir()
    config = CONFIG | {"label_list": ["boat", "person"]}
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    (folder / "model.json").write_text("{}")
    (folder / "model.pdiparams").write_bytes(b"boxes")
    return folder


def shapes_of(job: Job) -> dict[str, tuple[str, bool]]:
    """How the inputs of each role's network compare, and whether it is a whole model."""
    known = job.networks or {}
    parts = ModelRef.from_json(job.model).parts.items()
    return {
        role: (known[part.digest]["shapes"], known[part.digest]["is_whole"]) for role, part in parts
    }


def test_a_detector_and_a_keypoint_model_are_one_model(
    bench: Bench, request_: dict[str, Any]
) -> None:
    keypoint, detector = keypoint_model(bench.root / "pose"), people_detector(bench.root / "people")
    register(bench, detector, name="finder")
    job = send(bench, request_, model=str(keypoint), detector="finder")
    assert job.task == "keypoint"
    assert shapes_of(job) == {"detector": ("shared", False), "keypoint": ("shared", False)}
    ref = ModelRef.from_json(job.model)
    assert ref.name == "pose+finder"
    assert {role: part.digest for role, part in ref.parts.items()} == {
        "detector": describe(detector).digest,
        "keypoint": describe(keypoint).digest,
    }
    assert ModelRef.from_json(ref.to_json()) == ref


def test_a_composed_model_has_the_digest_of_its_parts(model: Path, tmp_path: Path) -> None:
    parts = {"a": describe(model), "b": describe(people_detector(tmp_path / "people"))}
    one = ModelRef.composed("x", "keypoint", parts)
    assert one.digest == ModelRef.composed("y", "keypoint", dict(reversed(parts.items()))).digest
    swapped = {"a": parts["b"], "b": parts["a"]}
    others = [
        ModelRef.composed("x", "keypoint", swapped),
        ModelRef.composed("x", "other", parts),
        ModelRef.composed("x", "keypoint", parts, {"people": ["rower"]}),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 4


@pytest.mark.parametrize(
    ("arch", "detector", "message"),
    [
        ("HRNet", None, "needs a detector"),
        ("HRNet", "model", "no class 'person', only boat, buoy"),
        ("HRNet", "pose", "cannot be the detector of a keypoint model"),
        ("HRNet", "nosuch", "no model 'nosuch'"),
        ("HigherHRNet", "people", r"--detector means nothing to 'pose' \(task keypoint\)"),
    ],
)
def test_a_keypoint_model_and_a_detector_have_to_go_together(
    bench: Bench, request_: dict[str, Any], arch: str, detector: str | None, message: str
) -> None:
    keypoint_model(bench.root / "pose", arch)
    people_detector(bench.root / "people")
    named = None if detector is None else str(bench.root / detector)
    if detector == "nosuch":
        named = detector
    with pytest.raises(UsageError, match=message):
        send(bench, request_, model=str(bench.root / "pose"), detector=named)


def test_a_bottom_up_model_needs_no_detector(bench: Bench, request_: dict[str, Any]) -> None:
    job = send(bench, request_, model=str(keypoint_model(bench.root / "pose", "HigherHRNet")))
    assert job.task == "keypoint"
    (network,) = (job.networks or {}).values()
    assert network["largest_batch"] == 1


def test_a_batch_size_is_for_networks_that_take_more_than_one_picture(
    bench: Bench, request_: dict[str, Any]
) -> None:
    pose = str(keypoint_model(bench.root / "pose", "HigherHRNet"))
    with pytest.raises(UsageError, match=r"--batch-size means nothing to 'pose' .* at a time"):
        send(bench, request_, model=pose, batch_size=8)


def test_a_detector_for_another_task_is_refused(bench: Bench, request_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--detector means nothing"):
        send(bench, request_, detector=request_["model"])


def text_model(folder: Path, kind: str) -> Path:
    folder.mkdir()
    steps: list[dict[str, Any]] = [{"RecResizeImg": {"image_shape": [3, 48, 320]}}]
    post: dict[str, Any] = {"name": kind, "character_dict": ["a"]}
    if kind == "DBPostProcess":
        norm = {"mean": [0.5] * 3, "std": [0.5] * 3, "scale": "1./255.", "order": "hwc"}
        steps = [{"DetResizeForTest": None}, {"NormalizeImage": norm}, {"ToCHWImage": None}]
        post = {"name": kind}
    config = {"PreProcess": {"transform_ops": steps}, "PostProcess": post}
    (folder / "inference.yml").write_text(yaml.safe_dump(config))
    (folder / "inference.json").write_text("{}")
    (folder / "inference.pdiparams").write_bytes(kind.encode())
    return folder


def test_a_file_that_names_parts_is_a_model(bench: Bench, request_: dict[str, Any]) -> None:
    text_model(bench.root / "det", "DBPostProcess")
    register(bench, text_model(bench.root / "rec", "CTCLabelDecode"), name="reader")
    file = bench.root / "ocr.toml"
    file.write_text('task = "ocr"\n[parts]\ntext_det = "./det"\ntext_rec = "reader"\n')
    job = send(bench, request_, model=str(file))
    ref = ModelRef.from_json(job.model)
    assert (job.task, ref.name) == ("ocr", "ocr")
    assert shapes_of(job) == {"text_det": ("own", False), "text_rec": ("lines", False)}
    assert {role: part.name for role, part in ref.parts.items()} == {
        "text_det": "det",
        "text_rec": "reader",
    }
    # Under a name of its own it is the same model.
    facts = choose_composed(bench.db, "ocr", read_composition(file)).exports
    card = composed_card(ref, facts, str(file))
    bench.db.write(lambda s: models.add_model(s, ref, card, now=1.0))
    again = send(bench, request_, model="ocr", output=f"{bench.root}/other")
    assert ModelRef.from_json(again.model) == ref


PEOPLE = 'task = "keypoint"\n[parts]\ndetector = "./people"\nkeypoint = "./pose"\n[options]\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('task = "ocr"\n[parts]\ntext_det = "./det"', "needs text_rec"),
        ('task = "ocr"\n[parts]\ntext_det = "./det"\ntext_rec = "./det"', "cannot be the text_rec"),
        ('task = "ocr"\n[parts]\ntext_det = "./det"\ntext_rec = "nosuch"', "no model 'nosuch'"),
        (
            'task = "ocr"\n[parts]\ntext_det = "./det"\ntext_rec = "./rec"\n[options]\nx = 1',
            "no option x",
        ),
        (PEOPLE + 'people = "person"', "not a list of classes"),
        (PEOPLE + 'people = ["rower"]', "no class 'rower'"),
    ],
)
def test_parts_that_make_no_model_are_refused(
    bench: Bench, request_: dict[str, Any], content: str, message: str
) -> None:
    text_model(bench.root / "det", "DBPostProcess")
    text_model(bench.root / "rec", "CTCLabelDecode")
    keypoint_model(bench.root / "pose")
    people_detector(bench.root / "people")
    (bench.root / "parts.toml").write_text(content)
    with pytest.raises(UsageError, match=message):
        send(bench, request_, model=str(bench.root / "parts.toml"))


def test_a_part_is_no_model_by_itself(bench: Bench, request_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a part of ocr models"):
        send(bench, request_, model=str(text_model(bench.root / "det", "DBPostProcess")))


def test_only_detectors_look_at_tiles(bench: Bench, request_: dict[str, Any]) -> None:
    tiles: dict[str, Any] = {"slice": (640, 480), "overlap": 0.25, "merge": "nms"}
    options = JobOptions.from_json(send(bench, request_, **tiles).options)
    assert options.rows.slicing == Slicing(640, 480, 0.25, "nms")
    pose = keypoint_model(bench.root / "pose", "HigherHRNet")
    with pytest.raises(UsageError, match="--slice means nothing to 'pose'"):
        send(bench, request_, model=str(pose), **tiles, output=f"{bench.root}/other")


def test_several_models_are_one_job(bench: Bench, request_: dict[str, Any]) -> None:
    keypoint, people = keypoint_model(bench.root / "pose"), people_detector(bench.root / "people")
    register(bench, people, name="finder")
    more = {"more_models": (str(keypoint), "finder"), "detector": "finder"}
    job = send(bench, request_, **more)
    # The workers of the first model's task run it.
    assert job.task == "detect"
    ref = ModelRef.from_json(job.model)
    assert ref.task == SEVERAL
    assert [(member.name, member.task) for member in ref.members] == [
        ("model", "detect"),
        ("pose+finder", "keypoint"),
        ("finder", "detect"),
    ]
    assert [sorted(member.parts) for member in ref.members] == [[], ["detector", "keypoint"], []]


def test_two_models_of_one_name_are_refused(bench: Bench, request_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="two of the models are called 'model'"):
        send(bench, request_, more_models=(request_["model"],))


def test_a_detector_that_none_of_the_models_needs_is_refused(
    bench: Bench, request_: dict[str, Any]
) -> None:
    people = str(people_detector(bench.root / "people"))
    with pytest.raises(UsageError, match="--detector means nothing"):
        send(bench, request_, more_models=(people,), detector=people)


def test_a_job_says_whether_inputs_have_one_shape(
    bench: Bench, request_: dict[str, Any], model: Path
) -> None:
    shared = {"shapes": "shared", "largest_batch": None, "is_whole": True}
    job = send(bench, request_)
    assert job.options["batch_size"] is None
    assert job.networks == {describe(model).digest: shared}
    resize = CONFIG["Preprocess"][0] | {"keep_ratio": True}
    config = CONFIG | {"Preprocess": [resize, CONFIG["Preprocess"][1]]}
    (model / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    request = request_ | {"output": f"{bench.root}/second"}
    defaults = JobDefaults(str(bench.root / "outputs"), 10, 20, 90)
    job = submit(bench.db, asked(**request), defaults)
    assert job.networks == {describe(model).digest: shared | {"shapes": "own"}}


def test_a_submission_whose_answer_was_lost_is_one_job(
    bench: Bench, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Database.write

    def twice(db: Database, work: Any) -> Any:
        write(db, work)
        return write(db, work)

    monkeypatch.setattr(Database, "write", twice)
    job = send(bench, request_)

    def ids(session: Session) -> list[str]:
        return [row.id for row in session.query(Job).all()]

    assert bench.db.read(ids) == [job.id]


def test_a_job_is_compared_with_one_that_has_ended(bench: Bench, request_: dict[str, Any]) -> None:
    """It is named by its id from then on, and stays until the comparison is over."""
    bench.job("nightly", state=JobState.PLANNING)
    with pytest.raises(UsageError, match="job nightly has not ended: it is planning"):
        send(bench, request_, since_job="latest")
    ended = {"state": JobState.FAILED}
    bench.db.write(lambda s: s.execute(update(Job).values(**ended)))
    with pytest.raises(UsageError, match="before its source was listed to the end"):
        send(bench, request_, since_job="nightly")
    bench.job("packed", kind="compact", state=JobState.SUCCEEDED)
    with pytest.raises(UsageError, match="of the kind 'compact'"):
        send(bench, request_, since_job="packed")
    bench.db.write(lambda s: s.execute(update(Job).values(planned_at=1.0)))
    with pytest.raises(UsageError, match="cannot go with a sample"):
        send(bench, request_, since_job="night", redo_on=("engine",), annotate=Sample(3))
    with pytest.raises(UsageError, match="there is no --since-job"):
        send(bench, request_, redo_on=("engine",))
    with pytest.raises(UsageError, match="--redo-on must be engine"):
        send(bench, request_, since_job="nightly", redo_on=("weather",))
    job = bench.read_job(send(bench, request_, since_job="night").id)
    assert (job.since_job, job.carried, job.comparison) == ("nightly", 0, None)
    assert (job.request or {})["since_job"] == "nightly"
    assert Selection.from_json(job.selection).since_job == "nightly"
    assert bench.db.read(lambda s: referring_to(s, "nightly")) == {job.id: "compares"}
