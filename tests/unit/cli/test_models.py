import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import tryout
from cli.stack.environment import python_module
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta
from tests.web import Page, Web, files_in, tar_of
from vision.exports.export import export_digest

TRIED: dict[str, Any] = {
    "engine": "paddle 3.2.2",
    "offer": "paddle/3.2.2+r2/cpu-any/fp32",
    "way": "onednn",
    "why": "compared on 4 pictures: boxes 0",
    "comparison": {"pictures": 4, "with_results": 4},
    "inputs": [{"name": "image", "shape": [1, 3, 64, 64]}],
    "outputs": [{"dtype": "float32", "shape": [7, 6]}, {"dtype": "int32", "shape": [1]}],
    "milliseconds": 12.5,
    "warnings": [],
}
Say = Callable[[str], None]


@pytest.fixture
def trying(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Sets the program that is run in the place of the one that tries a model with Paddle."""

    def say(code: str) -> None:
        words = [*python_module("json")[:2], "-c", code]
        monkeypatch.setattr(tryout, "python_module", lambda *_: words)

    return say


def answer(value: dict[str, Any]) -> str:
    return f"print('talk'); print({json.dumps(json.dumps(value))})"


def add(regatta: Regatta, model: Path, name: str = "boats") -> None:
    result = regatta("models", "add", name, str(model), "--no-check")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{name}\n"


def registered(regatta: Regatta) -> list[str]:
    found = json.loads(regatta("models", "list", "--format", "json").stdout)
    return [model["name"] for model in found if model["added"] is not None]


def test_shipped_models_have_names_at_once(bench: Bench, regatta: Regatta, photos: Path) -> None:
    assert "regatta_fcos_384" in regatta("models", "list", "--format", "table").stdout
    for name, task in (("regatta_fcos_384", "detect"), ("regatta_rowers", "keypoint")):
        shown = json.loads(regatta("models", "show", name, "--format", "json").stdout)
        assert (shown["task"], shown["source"]) == (task, "ships with Regatta")
        job = bench.read_job(regatta("submit", str(photos), "--model", name).stdout.strip())
        assert (job.task, job.model["name"]) == (task, name)


def test_a_registered_model_hides_a_shipped_one(
    bench: Bench, regatta: Regatta, model: Path
) -> None:
    add(regatta, model, "regatta_fcos_384")
    assert registered(regatta) == ["regatta_fcos_384"]
    shown = json.loads(regatta("models", "show", "regatta_fcos_384", "--format", "json").stdout)
    assert shown["location"] == str(model)


def test_a_mistyped_model_is_answered_with_near_names(
    bench: Bench, regatta: Regatta, model: Path, photos: Path
) -> None:
    add(regatta, model)
    for name, near in (
        ("boat", "did you mean 'boats'?"),
        ("regatta_fcos_385", "did you mean 'regatta_fcos_384'"),
        ("PicoDet-SS", "models pull PicoDet-S"),
    ):
        assert near in regatta("submit", str(photos), "--model", name).stderr
    assert "did you mean 'boats'?" in regatta("models", "show", "boat").stderr
    assert "did you mean 'boats'?" in regatta("models", "remove", "boat").stderr


def test_add_list_show_remove(bench: Bench, regatta: Regatta, model: Path) -> None:
    add(regatta, model)
    assert "boats" in regatta("models", "list", "--format", "table").stdout
    shown = json.loads(regatta("models", "show", "boats", "--format", "json").stdout)
    assert (shown["task"], shown["arch"], shown["labels"]) == ("detect", "YOLO", ["boat", "buoy"])
    assert (shown["location"], shown["input_shape"]) == (str(model), [64, 64])
    assert len(shown["digest"]) == 64
    assert regatta("models", "remove", "boats").exit_code == 0
    assert registered(regatta) == []
    result = regatta("models", "remove", "boats")
    assert result.exit_code == 2
    assert "there is no model 'boats'" in result.stderr
    assert model.is_dir()


def test_a_name_stands_for_one_content(bench: Bench, regatta: Regatta, model: Path) -> None:
    add(regatta, model)
    add(regatta, model)
    (model / "model.pdiparams").write_bytes(b"other weights")
    result = regatta("models", "add", "boats", str(model), "--no-check")
    assert result.exit_code == 2
    assert "another digest" in result.stderr


def test_a_registered_model_runs_only_with_its_digest(
    bench: Bench, regatta: Regatta, model: Path, photos: Path
) -> None:
    add(regatta, model)
    job = bench.read_job(regatta("submit", str(photos), "--model", "boats").stdout.strip())
    assert (job.model["name"], job.model["location"]) == ("boats", str(model))
    (model / "model.pdiparams").write_bytes(b"other weights")
    result = regatta("submit", str(photos), "--model", "boats")
    assert result.exit_code == 2
    assert "not those that were registered" in result.stderr


def other_model(model: Path) -> Path:
    """A model that differs from `model`, beside it."""
    other = Path(shutil.copytree(model, model.with_name("other")))
    (other / "model.pdiparams").write_bytes(b"other weights")
    return other


def test_a_replaced_model_is_taken_by_the_next_job_only(
    bench: Bench, regatta: Regatta, model: Path, photos: Path, trying: Say
) -> None:
    add(regatta, model)
    first = bench.read_job(regatta("submit", str(photos), "--model", "boats").stdout.strip())
    other = other_model(model)
    trying(answer({"error": "Paddle says no", "hint": None}))
    assert regatta("models", "add", "boats", str(other), "--replace").exit_code == 2
    assert show(regatta, "boats")["digest"] == first.model["digest"], "what fails changes nothing"
    trying(answer(TRIED))
    said = regatta("models", "add", "boats", str(other), "--replace").stderr
    assert f"model boats was {first.model['digest'][:12]} before; to go back: " in said
    assert f"regatta models add boats {model} --replace\n" in said
    assert f"job {first.id} keeps the earlier one\n" in said
    shown = show(regatta, "boats")
    assert shown["digest"] == export_digest(other)
    assert shown["previous"]["digest"] == first.model["digest"]
    assert f"{first.model['digest']} in {model}, until" in (
        regatta("models", "show", "boats", "--format", "table").stdout
    )
    second = bench.read_job(regatta("submit", str(photos), "--model", "boats").stdout.strip())
    assert second.model["digest"] == export_digest(other)
    assert bench.read_job(first.id).model == first.model


def test_whoever_overwrites_a_folder_is_told_whom_it_hurts(
    bench: Bench, regatta: Regatta, model: Path, photos: Path
) -> None:
    add(regatta, model)
    job = regatta("submit", str(photos), "--model", "boats").stdout.strip()
    (model / "model.pdiparams").write_bytes(b"other weights")
    said = regatta("models", "add", "boats", str(model), "--no-check", "--replace").stderr
    assert "were overwritten: it is gone" in said
    assert f"warning: job {job} needs those files, and can't go on" in said


def test_a_composed_model_keeps_its_parts_until_it_is_replaced_too(
    bench: Bench, regatta: Regatta, tmp_path: Path
) -> None:
    shipped = json.loads(regatta("models", "show", "regatta_rowers", "--format", "json").stdout)
    finder, joints = (Path(shipped["parts"][role]["location"]) for role in ("detector", "keypoint"))
    add(regatta, finder, "finder")
    add(regatta, joints, "joints")
    file = tmp_path / "rowers.toml"
    file.write_text(
        'task = "keypoint"\n[parts]\ndetector = "finder"\nkeypoint = "joints"\n'
        '[options]\npeople = ["rower"]\n'
    )
    add(regatta, file, "rowers")
    other = Path(shutil.copytree(finder, tmp_path / "other"))
    weights = next(other.glob("*.pdiparams"))
    weights.write_bytes(weights.read_bytes() + b"x")
    words = ("models", "add", "finder", str(other), "--no-check", "--replace")
    assert "model rowers still has the earlier finder as a part" in regatta(*words).stderr
    before = show(regatta, "rowers")
    again = regatta("models", "add", "rowers", str(file), "--replace")
    assert f"model rowers was made of other parts before ({before['digest'][:12]})" in again.stderr
    assert show(regatta, "rowers")["parts"]["detector"]["digest"] == export_digest(other)


def show(regatta: Regatta, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(regatta("models", "show", name, "--format", "json").stdout)
    return shown


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "a b", "bad!", "-x", ".x", "x" * 101])
def test_names_that_would_confuse(bench: Bench, regatta: Regatta, model: Path, name: str) -> None:
    assert regatta("models", "add", "--", name, str(model)).exit_code == 2


def test_a_model_for_another_task(bench: Bench, regatta: Regatta, model: Path) -> None:
    result = regatta("models", "add", "boats", str(model), "--task", "keypoint")
    assert result.exit_code == 2
    assert "for the task 'detect', not 'keypoint'" in result.stderr


def test_no_model_at_all(bench: Bench, regatta: Regatta, tmp_path: Path) -> None:
    result = regatta("models", "add", "boats", str(tmp_path / "nothing"))
    assert result.exit_code == 2
    assert "no model directory" in result.stderr


def test_a_model_is_tried_before_it_gets_its_name(
    bench: Bench, regatta: Regatta, model: Path, trying: Say
) -> None:
    (model / "LICENSE").write_text("MIT License")
    trying(answer({**TRIED, "warnings": ["onednn off: paddle 3.3.0"]}))
    result = regatta("models", "add", "boats", str(model))
    assert (result.exit_code, result.stdout) == (0, "boats\n")
    assert result.stderr.startswith("warning: onednn off: paddle 3.3.0\n")
    assert result.stderr.endswith(
        "model boats: detect, YOLO, 2 classes, 12.5 ms a picture, onednn\n"
    )
    card = json.loads(regatta("models", "show", "boats", "--format", "json").stdout)
    assert {name: card[name] for name in ("inputs", "outputs", "milliseconds")} == {
        name: TRIED[name] for name in ("inputs", "outputs", "milliseconds")
    }
    assert (card["checked_with"], card["licence"]) == ("paddle 3.2.2", "MIT")
    assert (card["source"], card["doubts"]) == (str(model), ["onednn off: paddle 3.3.0"])
    shown = regatta("models", "show", "boats", "--format", "table").stdout
    assert "image 1x3x64x64\n" in shown
    assert "float32 7x6, int32 1\n" in shown


def test_what_a_comparison_found_is_shown_and_obeyed(
    bench: Bench, regatta: Regatta, model: Path, trying: Say
) -> None:
    trying(answer(TRIED))
    regatta("models", "add", "boats", str(model))
    card = json.loads(regatta("models", "show", "boats", "--format", "json").stdout)
    assert card["comparison"] == {
        "engine": TRIED["offer"],
        "way": "onednn",
        "why": TRIED["why"],
        **TRIED["comparison"],
    }
    [verdict] = card["verdicts"]
    assert (verdict["role"], verdict["engine"], verdict["way"]) == (None, TRIED["offer"], "onednn")
    # Another way on another machine's class; the first verdict on this one stands.
    trying(answer({**TRIED, "offer": "paddle/3.2.2+r2/cpu-old/fp32", "way": "plain"}))
    regatta("models", "add", "boats", str(model))
    trying(answer({**TRIED, "way": "plain", "why": "onednn: differs: boxes 1"}))
    said = regatta("models", "add", "boats", str(model)).stderr
    assert said.endswith("12.5 ms a picture, onednn\n"), "what stands, not what was tried last"
    card = json.loads(regatta("models", "show", "boats", "--format", "json").stdout)
    ways = {verdict["engine"]: verdict["way"] for verdict in card["verdicts"]}
    assert ways == {TRIED["offer"]: "onednn", "paddle/3.2.2+r2/cpu-old/fp32": "plain"}
    shown = regatta("models", "show", "boats", "--format", "table").stdout
    assert "plain (onednn: differs: boxes 1)\n" in shown
    assert "onednn on paddle/3.2.2+r2/cpu-any/fp32: compared on 4 pictures: boxes 0" in shown


def test_where_nothing_was_found_there_is_no_verdict(
    bench: Bench, regatta: Regatta, model: Path, trying: Say
) -> None:
    trying(answer({**TRIED, "way": None, "why": "nothing was found on 4 pictures"}))
    said = regatta("models", "add", "boats", str(model)).stderr
    assert "plain until its ways can be compared (nothing was found on 4 pictures)\n" in said
    card = json.loads(regatta("models", "show", "boats", "--format", "json").stdout)
    assert (card["verdicts"], card["comparison"]["way"]) == ([], None)


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        (answer({"error": "Paddle says no", "hint": "export it"}), "Paddle says no", "export it; "),
        (answer({"error": "out of memory", "hint": None}), "out of memory", "hint: --no-check"),
        ("import os; os.abort()", "ended its process with -6", "doctor"),
        ("raise SystemExit('no module named paddle')", "no module named paddle", "--no-check"),
        ("import time; time.sleep(60)", "did not answer within", "--no-check"),
        (answer({**TRIED, "outputs": [{"dtype": "float32", "shape": [1, 9]}]}), "rows", "export"),
    ],
)
def test_a_model_that_cannot_run_gets_no_name(
    bench: Bench,
    regatta: Regatta,
    model: Path,
    trying: Say,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    said: str,
    hint: str,
) -> None:
    if "sleep" in code:
        monkeypatch.setattr(tryout, "_SECONDS", 0.2)
    trying(code)
    result = regatta("models", "add", "boats", str(model))
    assert result.exit_code == 2
    assert said in result.stderr
    assert hint in result.stderr
    assert registered(regatta) == []


def test_a_model_from_a_web_server(bench: Bench, regatta: Regatta, model: Path, web: Web) -> None:
    web.pages["/boats.tar?key=secret"] = Page(tar_of(files_in(model, "boats/")))
    url = f"{web.url}/boats.tar?key=secret"
    result = regatta("models", "add", "boats", url, "--no-check")
    assert result.exit_code == 0, result.stderr
    assert f"getting {web.url}/boats.tar (" in result.stderr
    card = json.loads(regatta("models", "show", "boats", "--format", "json").stdout)
    digest = export_digest(model)
    assert card["location"] == str(bench.root / "models" / digest / "boats")
    assert (card["digest"], card["source"]) == (digest, f"{web.url}/boats.tar")
    wrong = regatta("models", "add", "other", url, "--no-check", "--sha256", "0" * 64)
    assert wrong.exit_code == 2
    assert "has the SHA-256" in wrong.stderr
    assert "secret" not in result.stderr + wrong.stderr


@pytest.fixture
def mirror(web: Web, model: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Paddle's own layout, with one model that says what it is and one that lies."""
    files = files_in(model)
    inference = {
        "inference.yml": files["infer_cfg.yml"] + b"Global: {model_name: PP-YOLOE_plus-S}\n",
        "inference.json": files["model.json"],
        "inference.pdiparams": files["model.pdiparams"],
    }
    for name in ("PP-YOLOE_plus-S", "PP-LiteSeg-T"):
        packed = tar_of({f"{name}_infer/{file}": data for file, data in inference.items()})
        web.pages[f"/paddle3.0.0/{name}_infer.tar"] = Page(packed)
    monkeypatch.setenv("REGATTA_CATALOGUE_URL", f"{web.url}/paddle3.0.0/")
    return web


def test_pull(bench: Bench, regatta: Regatta, mirror: Web) -> None:
    for words, name in (
        (("pp-yoloe_plus-s",), "PP-YOLOE_plus-S"),
        (("PP-YOLOE_plus-S", "--as", "ps"), "ps"),
    ):
        result = regatta("models", "pull", *words, "--no-check")
        assert (result.exit_code, result.stdout) == (0, f"{name}\n"), result.stderr
        card = json.loads(regatta("models", "show", name, "--format", "json").stdout)
        assert (card["task"], card["export_name"]) == ("detect", "PP-YOLOE_plus-S")
        assert card["source"] == f"{mirror.url}/paddle3.0.0/PP-YOLOE_plus-S_infer.tar"
    assert len(list((bench.root / "models").iterdir())) == 1


def test_pull_what_is_not_there(bench: Bench, regatta: Regatta, mirror: Web) -> None:
    result = regatta("models", "pull", "PP-YOLOE_plus-Z")
    assert result.exit_code == 2
    assert "hint: perhaps PP-YOLOE_plus-" in result.stderr
    result = regatta("models", "pull", "PicoDet-S")
    assert result.exit_code == 2
    assert f"there is nothing at {mirror.url}/paddle3.0.0/PicoDet-S_infer.tar" in result.stderr
    result = regatta("models", "pull", "PP-LiteSeg-T", "--no-check")
    assert result.exit_code == 2
    assert "is for the task 'detect', not 'segment'" in result.stderr
    assert registered(regatta) == []


def test_catalogue(regatta: Regatta, mirror: Web) -> None:
    every = json.loads(regatta("models", "catalogue", "--format", "json").stdout)
    assert len(every) > 200
    assert set(every[0]) == {"name", "task", "address"}
    some = json.loads(regatta("models", "catalogue", "TINYPOSE", "--format", "json").stdout)
    assert [each["name"] for each in some] == ["PP-TinyPose_128x96", "PP-TinyPose_256x192"]
    assert some[0]["address"] == f"{mirror.url}/paddle3.0.0/PP-TinyPose_128x96_infer.tar"
    words = ("--task", "segment", "--format", "json", "lite")
    assert [each["name"] for each in json.loads(regatta("models", "catalogue", *words).stdout)] == [
        "PP-LiteSeg-T",
        "PP-LiteSeg-B",
    ]
    assert regatta("models", "catalogue", "nothing", "--format", "json").stdout == "[]\n"
    assert mirror.asked == []
