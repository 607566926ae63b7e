from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from core.options import JobOptions
from core.slicing import Slicing
from predictions.detections import Detections
from tests.bench import OPTIONS
from vision.ops.preprocess import Prepared
from worker.recipes.recipe import Ask
from worker.recipes.sliced_detection import DetectionRecipe, find


class BrightSpots:
    """A stand-in for a detector: each white pixel is an object of one class, 4 x 4 pixels large."""

    @staticmethod
    def prepare(image_bgr: Any) -> Prepared:
        return Prepared(np.asarray(image_bgr[..., 0], np.float32), np.ones(2), np.ones(2))

    @staticmethod
    def found(output: Any, options: JobOptions) -> Detections:
        del options
        y, x = np.nonzero(output == 255)
        corners = np.stack([x, y, x + 4, y + 4], axis=1).astype(np.float32)
        return Detections(corners, np.full(len(x), 0.9), np.zeros(len(x), np.int32))


def looked(image: Any, options: JobOptions) -> tuple[Detections, list[Sequence[Ask]]]:
    """What was found, and what was asked step by step."""
    detector: Any = BrightSpots()
    steps, asked = find(detector, "d", image, options), []
    outputs: Any = None
    try:
        while True:
            asks = steps.send(outputs)
            asked.append(asks)
            outputs = [ask.prepared.image for ask in asks]
    except StopIteration as end:
        return end.value, asked


def picture(*spots: tuple[int, int], size: tuple[int, int] = (300, 400)) -> Any:
    image = np.zeros((*size, 3), np.uint8)
    for x, y in spots:
        image[y, x] = 255
    return image


def sliced(width: int, height: int, overlap: float = 0.2) -> JobOptions:
    return OPTIONS.but(slicing=Slicing(width, height, overlap, "nmm"))


def test_without_slices_the_detector_looks_once() -> None:
    found, asked = looked(picture((5, 7)), OPTIONS)
    assert found.xyxy.tolist() == [[5, 7, 9, 11]]
    assert [len(asks) for asks in asked] == [1]


@pytest.mark.parametrize("spots", [[], [(5, 7)], [(5, 7), (95, 60), (399, 299), (200, 150)]])
def test_what_several_tiles_show_is_found_once_and_where_it_is(spots: Any) -> None:
    found, _ = looked(picture(*spots), sliced(100, 100))
    assert sorted(found.xyxy[:, :2].tolist()) == sorted([list(spot) for spot in spots])


def test_few_tiles_are_prepared_at_a_time() -> None:
    _, asked = looked(picture((5, 7)), sliced(40, 40))
    shapes = [ask.prepared.image.shape for asks in asked for ask in asks]
    assert shapes[0] == (300, 400)
    assert set(shapes[1:]) == {(40, 40)}
    assert len(shapes) > 100
    assert max(len(asks) for asks in asked) == 16


def test_a_picture_smaller_than_a_tile_is_looked_at_once() -> None:
    _, asked = looked(picture((1, 1), size=(50, 60)), sliced(640, 640))
    assert [len(asks) for asks in asked] == [1]


def test_only_slices_need_the_picture_again() -> None:
    assert not DetectionRecipe.revisits(OPTIONS)
    assert DetectionRecipe.revisits(sliced(64, 64))
