"""`regatta redraw`: what inference drew is drawn again from its results, byte for byte."""

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import pytest

from sample.shipped import MODELS
from scheduler.redraw import accept, check
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import outcome
from tests.acceptance.terminal import Terminal
from tests.dense_nets import (
    export_blob_foreground,
    export_blob_masks,
    export_blob_matting,
    export_blob_panoptic,
    export_blob_people,
)
from tests.scenes import draw_blobs

PICTURES = 4
LONG = 240.0  # seconds: eight models are loaded, and ways compared for each
SHIPPED = ("detect", "classify", "segment")
PAINTED = ("instances", "foreground", "panoptic", MODELS["segment"].directory.name)
"""The models of which `--alpha` changes pictures; of matting, `--background` does."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of blobs, and a file that is none."""
    folder = tmp_path_factory.mktemp("blobs") / "pictures"
    folder.mkdir()
    for number in range(PICTURES):
        cv2.imwrite(str(folder / f"{number}.png"), draw_blobs(number)[0])
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def old(paddle_terminal: Terminal, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a job with a model of each kind that draws."""
    folder = tmp_path_factory.mktemp("models")
    models = [
        export_blob_masks(folder / "instances", "RCNN"),
        export_blob_foreground(folder / "foreground"),
        export_blob_matting(folder / "matting"),
        export_blob_panoptic(folder / "panoptic"),
        export_blob_people(folder / "people"),
        *(MODELS[name].directory for name in SHIPPED),
    ]
    words = [word for model in models for word in ("--model", model)]
    output = folder / "out"
    run = ("run", source, *words, "--shard-items", "3", "--name", "old", "--output", output)
    ended = paddle_terminal.start(*run).end(LONG)
    assert ended.code == 3, ended.err
    return output


def files(output: Path, folder: str) -> Mapping[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted((output / folder).rglob("*"))
        if path.is_file()
    }


def job_of(output: Path) -> str:
    return str(json.loads((output / "manifest.json").read_text())["job"]["id"])


def redrawn(terminal: Terminal, old: Path, output: Path, *words: str) -> None:
    ended = terminal.run("redraw", job_of(old), *words, "--output", output)
    assert ended.code == 3, ended.err
    assert f"{PICTURES + 1} listed: {PICTURES} succeeded, 1 quarantined" in ended.out


@pytest.mark.proof
def test_without_options_it_is_all_the_same(
    paddle_terminal: Terminal, old: Path, tmp_path: Path
) -> None:
    output = tmp_path / "again"
    redrawn(paddle_terminal, old, output)
    pictures = files(old, "annotated")
    assert len(pictures) == PICTURES * (5 + len(SHIPPED))
    for folder in ("annotated", "masks", "cutouts", "results", "items"):
        assert files(output, folder) == files(old, folder), folder
    legends = json.loads((old / "manifest.json").read_text())["legends"]
    assert legends["foreground"] == {"background": 0}
    manifest = json.loads((output / "manifest.json").read_text())
    assert (manifest["job"]["kind"], manifest["profile"]) == ("render", None)
    assert manifest["legends"] == legends
    assert list(manifest["refers_to"].values()) == ["redraws"]

    [shown] = paddle_terminal.run("status", "latest").objects
    assert (shown["kind"], shown["state"]) == ("render", "partial")
    rows = paddle_terminal.run("results", "latest").objects
    assert len(rows) == (PICTURES + 1) * (5 + len(SHIPPED))
    [*_, lost] = paddle_terminal.run("quarantine", "list", "latest").objects
    assert lost["item"] == "broken.png"
    assert paddle_terminal.run("report", "latest").code == 0
    assert "no network ran" in (output / "report.html").read_text()


@pytest.mark.proof
def test_a_mask_that_is_gone_costs_its_item(
    paddle_terminal: Terminal, old: Path, tmp_path: Path
) -> None:
    mask = old / "masks" / "foreground" / "2.png.png"
    png = mask.read_bytes()
    mask.unlink()
    try:
        ended = paddle_terminal.run("redraw", job_of(old), "--output", tmp_path / "again")
    finally:
        mask.write_bytes(png)
    assert ended.code == 3, ended.err
    assert f"{PICTURES - 1} succeeded, 2 quarantined" in ended.out
    lost = paddle_terminal.run("quarantine", "list", "latest").objects
    assert {row["reason"][:26] for row in lost if row["item"] == "2.png"} == {
        "source_missing: its mask: "
    }


@pytest.mark.proof
def test_other_options_change_pictures_and_nothing_else(
    paddle_terminal: Terminal, old: Path, tmp_path: Path
) -> None:
    output = tmp_path / "pale"
    redrawn(paddle_terminal, old, output, "--alpha", "0.1", "--background", "white")
    for folder in ("masks", "cutouts", "results", "items"):
        assert files(output, folder) == files(old, folder), folder
    before, after = files(old, "annotated"), files(output, "annotated")
    assert before.keys() == after.keys()
    changed = {key.split("/")[1] for key in before if before[key] != after[key]}
    assert changed == {*PAINTED, "matting"}
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["effective"]["foreground"]["alpha"] == 0.1
    assert manifest["effective"]["matting"]["background"] == [255, 255, 255]


def test_a_worker_that_only_draws_needs_no_engine(
    fleet: Fleet, pictures: Path, model: Path
) -> None:
    fleet.start(workers=0)
    worker = fleet.start_worker()
    job_id = fleet.submit(pictures, model)
    before = outcome(fleet, job_id)
    fleet.stop(worker)
    fleet.start_program("regatta", "worker", "--queues", "media", ENGINES="none")
    redrawing = check(fleet.db, fleet.job(job_id), {})
    job = accept(fleet.db, redrawing, str(fleet.folder / "outputs"))
    assert outcome(fleet, job.id) == before
