import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from sample.broken import BREAKAGES
from sample.coco import run_lengths
from sample.dataset import Dataset, dataset_at
from sample.labels import GROUNDS, LABELS, SEGMENTS
from sample.weather import WEATHERS
from vision.read.picture import read_picture

SCENES = 10


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return dataset_at(tmp_path_factory.mktemp("sample") / "dataset", SCENES)


@pytest.fixture(scope="module")
def truth(dataset: Dataset) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(dataset.truth.read_text())
    return loaded


def test_sound_files_can_be_read_and_are_what_the_truth_says(
    dataset: Dataset, truth: dict[str, Any]
) -> None:
    assert len(truth["images"]) == dataset.sound == SCENES
    for image in truth["images"]:
        path = dataset.folder / image["file_name"]
        pixels = read_picture(path.read_bytes(), max_pixels=10**8).pixels
        assert pixels.shape == (image["height"], image["width"], 3)
    suffixes = {Path(image["file_name"]).suffix for image in truth["images"]}
    assert suffixes == {".jpg", ".png", ".webp"}
    assert len({image["width"] for image in truth["images"]}) > 5


def test_what_pixels_show_and_the_weather_are_part_of_the_truth(
    dataset: Dataset, truth: dict[str, Any]
) -> None:
    names = {weather.name for weather in WEATHERS}
    for image in truth["images"]:
        assert image["weather"] in names
        path = dataset.segments / f"{image['file_name']}.png"
        segments = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert segments is not None
        assert segments.shape == (image["height"], image["width"])
        counts = np.bincount(segments.ravel(), minlength=len(SEGMENTS))
        for class_id in range(1, len(LABELS) + 1):
            areas = [
                annotation["area"]
                for annotation in truth["annotations"]
                if (annotation["image_id"], annotation["category_id"]) == (image["id"], class_id)
            ]
            assert counts[len(GROUNDS) + class_id - 1] == sum(areas)


def test_the_folder_holds_nothing_else(dataset: Dataset, truth: dict[str, Any]) -> None:
    there = {
        path.relative_to(dataset.folder).as_posix()
        for path in dataset.folder.rglob("*")
        if path.is_file()
    }
    assert there == {image["file_name"] for image in truth["images"]} | dataset.broken.keys()


def test_broken_files_are_refused_for_the_reason_that_was_planned(dataset: Dataset) -> None:
    assert len(dataset.broken) == len(BREAKAGES)
    for name, reason in dataset.broken.items():
        with pytest.raises(BadInputError) as refused:
            read_picture((dataset.folder / name).read_bytes(), max_pixels=200_000_000)
        assert refused.value.reason.startswith(reason)


def test_masks_are_whole_and_boxes_are_around_them(truth: dict[str, Any]) -> None:
    labels = {category["id"]: category["name"] for category in truth["categories"]}
    assert tuple(labels.values()) == LABELS
    for annotation in truth["annotations"]:
        height, width = annotation["segmentation"]["size"]
        counts = annotation["segmentation"]["counts"]
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        mask = flat.reshape(width, height).T
        assert mask.sum() == annotation["area"]
        assert list(cv2.boundingRect(mask.astype(np.uint8))) == annotation["bbox"]


@pytest.mark.parametrize(
    ("mask", "counts"),
    [
        ([[0, 0], [0, 0]], [4]),
        ([[1, 0], [1, 0]], [0, 2, 2]),
        ([[0, 1], [1, 0]], [1, 2, 1]),
        ([[1, 1], [1, 1]], [0, 4]),
    ],
)
def test_runs_go_down_the_columns(mask: list[list[int]], counts: list[int]) -> None:
    assert run_lengths(np.array(mask, bool)) == counts


def test_a_dataset_that_is_there_is_not_drawn_again(dataset: Dataset) -> None:
    drawn: list[int] = []

    assert dataset_at(dataset.folder.parent, SCENES, drawn=drawn.append) == dataset
    assert drawn == []


def test_progress_is_told_and_nothing_unfinished_stays(tmp_path: Path) -> None:
    drawn: list[int] = []

    dataset_at(tmp_path / "few", 3, seed=5, drawn=drawn.append)
    assert drawn == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["few"]
