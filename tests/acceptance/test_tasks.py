"""Every task from the command line to its results, on pictures whose truth is known."""

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from tests.acceptance.terminal import Terminal
from tests.dense_nets import (
    export_blob_masks,
    export_blob_matting,
    export_blob_panoptic,
    export_blob_people,
)
from tests.nets import export_blob_classifier, export_blob_detector, export_blob_segmenter
from tests.scenes import LABELS, Blob, draw_blobs, paint, tolerance

PICTURES = 8
OFF = tolerance((128, 128))


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[Blob]]]:
    """A folder of pictures, and the truth about each."""
    folder = tmp_path_factory.mktemp("blobs") / "pictures"
    folder.mkdir()
    truth = {}
    for number in range(PICTURES):
        picture, found = draw_blobs(number)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
        truth[f"{number}.png"] = found
    return folder, truth


@pytest.fixture
def terminal(paddle_terminal: Terminal) -> Terminal:
    return paddle_terminal


def painted(found: list[Blob]) -> NDArray[np.uint8]:
    labels = np.zeros((240, 320), np.uint8)
    for blob in found:
        x1, y1, x2, y2 = blob.box
        labels[y1:y2, x1:x2] = 1 + blob.class_id
    return labels


def test_segments(
    terminal: Terminal, tmp_path: Path, blobs: tuple[Path, dict[str, list[Blob]]]
) -> None:
    folder, truth = blobs
    model = export_blob_segmenter(tmp_path / "segmenter")
    output = tmp_path / "out"

    ended = terminal.run("run", folder, "--model", model, "--output", output)
    assert ended.code == 0, ended.err
    assert f"masks        {output}/masks/" in ended.out
    rows = terminal.run("results", "latest", "--format", "ndjson").objects
    assert [row["item"] for row in rows] == sorted(truth)
    for row in rows:
        expected = painted(truth[row["item"]])
        with Image.open(output / row["mask"]) as mask:
            assert (np.asarray(mask) == expected).mean() > 0.97
        shares = {find["class_id"]: find["score"] for find in row["classes"]}
        assert shares.keys() == set(np.unique(expected).tolist())
        assert shares[0] == pytest.approx((expected == 0).mean(), abs=0.03)
        assert cv2.imread(str(output / row["annotated"])).shape == (240, 320, 3)


def test_small_things_in_a_large_picture_are_found_in_slices(
    terminal: Terminal, tmp_path: Path
) -> None:
    # Of twenty columns the detector sees the four in the middle, and these lie in the others.
    truth = [
        Blob(n % 3, (92 + 180 * n, 60 + 140 * n, 107 + 180 * n, 75 + 140 * n)) for n in range(6)
    ]
    large = Blob(1, (200, 500, 420, 900))
    (tmp_path / "source").mkdir()
    cv2.imwrite(str(tmp_path / "source/a.png"), paint((1280, 960), [*truth, large]))
    model = export_blob_detector(tmp_path / "detector")

    def found(*options: object) -> list[tuple[str, NDArray[np.float64]]]:
        ended = terminal.run("run", tmp_path / "source", "--model", model, *options)
        assert ended.code == 0, ended.err
        [row] = terminal.run("results", "latest", "--format", "ndjson").objects
        return [(one["label"], np.array(one["box"])) for one in row["detections"]]

    assert {label for label, _ in found()} == {"green"}
    sliced = ("--slice", "128x128", "--overlap", "0.3")
    grown = found(*sliced)
    assert len(grown) == len(truth) + 1
    for blob in truth:
        near = [label for label, box in grown if np.abs(box - blob.box).max() <= OFF]
        assert near == [LABELS[blob.class_id]]
    assert any(np.abs(box - large.box).max() <= tolerance((1280, 960)) for _, box in grown)
    # Of a thing that an edge cuts in two, the half may be the one that stays.
    kept = [box for _, box in found(*sliced, "--merge", "nms")]
    assert len(kept) == len(grown)
    for blob in truth:
        out = np.array([-1, -1, 1, 1]) * (np.array(kept) - blob.box)
        assert (out <= OFF).all(axis=1).sum() == 1


def test_several_models_at_once(
    terminal: Terminal, tmp_path: Path, blobs: tuple[Path, dict[str, list[Blob]]]
) -> None:
    folder, truth = blobs
    segmenter = export_blob_segmenter(tmp_path / "segmenter")
    classifier = export_blob_classifier(tmp_path / "classifier")
    output = tmp_path / "out"

    ended = terminal.run(
        "run", folder, "--model", segmenter, "--model", classifier, "--output", output
    )
    assert ended.code == 0, ended.err
    assert f"{PICTURES} listed: {PICTURES} succeeded" in ended.out
    rows = terminal.run("results", "latest", "--format", "ndjson").objects
    assert [(row["item"], row["task"]) for row in rows] == [
        (item, task) for item in sorted(truth) for task in ("segment", "classify")
    ]
    for row in rows:
        there = {LABELS[blob.class_id] for blob in truth[row["item"]]}
        assert {find["label"] for find in row["classes"]} - {"background"} == there
    assert len({row["annotated"] for row in rows}) == len(rows)
    assert all((output / row["annotated"]).is_file() for row in rows)
    table = terminal.run("results", "latest", "--format", "table").out
    assert "MODEL" in table.splitlines()[0]
    assert terminal.run("report", "latest").code == 0
    assert "· classifier" in (output / "report.html").read_text()


def test_what_each_pixel_belongs_to(
    terminal: Terminal, tmp_path: Path, blobs: tuple[Path, dict[str, list[Blob]]]
) -> None:
    """Instance masks, matting and panoptic segments, of one decoded picture."""
    folder, truth = blobs
    models = [
        export_blob_masks(tmp_path / "instances", "RCNN"),
        export_blob_matting(tmp_path / "matting"),
        export_blob_panoptic(tmp_path / "panoptic"),
    ]
    output = tmp_path / "out"

    named = [word for model in models for word in ("--model", model)]
    ended = terminal.run("run", folder, *named, "--output", output)
    assert ended.code == 0, ended.err
    rows = terminal.run("results", "latest", "--format", "ndjson").objects
    by_task = {(row["task"], row["item"]): row for row in rows}
    assert len(by_task) == len(rows) == 3 * len(truth)
    for item, found in truth.items():
        expected = painted(found)

        instances = by_task["detect", item]["detections"]
        assert len(instances) == len(found)
        covered = np.zeros_like(expected)
        for one in instances:
            counts = {"size": one["mask"]["size"], "counts": one["mask"]["counts"].encode()}
            with warnings.catch_warnings():  # pycocotools' own, with today's NumPy
                warnings.simplefilter("ignore", DeprecationWarning)
                covered[coco_mask.decode(counts) > 0] = 1 + one["class_id"]
        assert (covered == expected).mean() > 0.97

        cut = by_task["matting", item]
        with Image.open(output / cut["mask"]) as alpha, Image.open(output / cut["cutout"]) as out:
            assert ((np.asarray(alpha) > 127) == (expected > 0)).mean() > 0.97
            pixels = np.asarray(out)
            assert np.array_equal(pixels[..., 3], np.asarray(alpha))
        source = cv2.imread(str(folder / item))
        assert np.array_equal(pixels[..., 2::-1], source)

        segments = by_task["panoptic", item]["segments"]
        with Image.open(output / by_task["panoptic", item]["mask"]) as colours:
            ids = np.asarray(colours).astype(int) @ (1, 256, 256 * 256)
        assert set(np.unique(ids)) - {0} == {one["id"] for one in segments}
        for one in segments:
            x1, y1, x2, y2 = one["box"]
            assert (ids == one["id"]).sum() == one["area"]
            assert (ids[y1:y2, x1:x2] == one["id"]).sum() == one["area"]
            assert one["is_thing"] == (one["label"] in LABELS)
    assert f"masks        {output}/masks/" in ended.out
    assert f"cut-outs     {output}/cutouts/" in ended.out


def test_people_from_the_bottom_up(terminal: Terminal, tmp_path: Path) -> None:
    """Pictures of any shape, one at a time: the one person's joints are a blob of each colour."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "people"
    folder.mkdir()
    truth = {}
    for number, size in enumerate([(320, 240), (240, 320), (500, 240), (300, 300)]):
        middles = np.array(size) * rng.uniform((0.15, 0.15), (0.85, 0.85), (3, 2))
        middles[:, 0] = np.sort(middles[:, 0])
        blobs = [
            Blob(n, tuple(np.rint([*(middle - 20), *(middle + 20)]).astype(int)))
            for n, middle in enumerate(middles)
        ]
        cv2.imwrite(str(folder / f"{number}.png"), paint(size, blobs))
        truth[f"{number}.png"] = middles
    cv2.imwrite(str(folder / "nobody.png"), paint((320, 240), []))

    ended = terminal.run("run", folder, "--model", export_blob_people(tmp_path / "model"))
    assert ended.code == 0, ended.err
    rows = {row["item"]: row for row in terminal.run("results", "latest").objects}
    assert rows.pop("nobody.png")["detections"] == []
    assert rows.keys() == truth.keys()
    for item, row in rows.items():
        assert row["task"] == "keypoint"
        [person] = row["detections"]
        points = np.array(person["keypoints"])
        # A pixel of the network is nearly four of the picture.
        assert np.abs(points[:, :2] - truth[item]).max() < 8
        x1, y1, x2, y2 = person["box"]
        assert [x1, y1] == pytest.approx(points[:, :2].min(0))
        assert [x2, y2] == pytest.approx(points[:, :2].max(0))


def test_labels(
    terminal: Terminal, tmp_path: Path, blobs: tuple[Path, dict[str, list[Blob]]]
) -> None:
    folder, truth = blobs
    model = export_blob_classifier(tmp_path / "classifier")

    ended = terminal.run("run", folder, "--model", model)
    assert ended.code == 0, ended.err
    rows = terminal.run("results", "latest", "--format", "ndjson").objects
    for row in rows:
        there = {LABELS[blob.class_id] for blob in truth[row["item"]]}
        assert {find["label"] for find in row["classes"]} == there
    only = terminal.run("results", "latest", "--label", "red", "--format", "ndjson").objects
    assert {row["item"] for row in only} == {
        item for item, found in truth.items() if any(blob.class_id == 0 for blob in found)
    }
    assert terminal.run("report", "latest").code == 0
