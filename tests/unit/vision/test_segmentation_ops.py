"""PaddleSeg's transforms, against its own formulas written out with cv2."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BadInputError, UsageError
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.segmentation import parse_transforms, restored


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def prepare(image_bgr: NDArray[np.uint8], *entries: dict[str, Any]) -> Prepared:
    return Preprocessor(parse_transforms(entries))(image_bgr)


def official(image_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """As PaddleSeg reads a picture: float32 from the start, RGB."""
    return cv2.cvtColor(image_bgr.astype(np.float32), cv2.COLOR_BGR2RGB).astype(np.float32)


def normalized(image: NDArray[np.float32], mean: float, std: float) -> NDArray[np.float32]:
    image = image / np.float32(255.0)
    image -= np.array([mean] * 3)
    image /= np.array([std] * 3)
    return image.transpose(2, 0, 1)


def test_resize_is_by_width_and_height_and_on_floats() -> None:
    image = noise(37, 61)
    resized = cv2.resize(official(image), (48, 32), interpolation=cv2.INTER_LINEAR)

    prepared = prepare(image, {"type": "Resize", "target_size": [48, 32]}, {"type": "Normalize"})
    assert np.array_equal(prepared.image, normalized(resized, 0.5, 0.5))
    assert prepared.im_shape.tolist() == [32, 48]


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"type": "Resize", "target_size": [64, 32], "keep_ratio": True}, (30, 45)),
        (
            {"type": "Resize", "target_size": [64, 32], "keep_ratio": True, "size_divisor": 32},
            (32, 64),
        ),
        ({"type": "ResizeByLong", "long_size": 120}, (80, 120)),
        ({"type": "ResizeByShort", "short_size": 30}, (30, 45)),
        ({"type": "LimitLong", "max_long": 30}, (20, 30)),
        ({"type": "LimitLong", "min_long": 90}, (60, 90)),
        ({"type": "LimitLong", "max_long": 100, "min_long": 50}, (40, 60)),
    ],
)
def test_sizes_follow_the_image(entry: dict[str, Any], size: tuple[int, int]) -> None:
    if entry.get("keep_ratio") and "size_divisor" not in entry:
        size = (round(40 * 32 / 40), round(60 * 32 / 40))  # the smaller of both scales
        size = min(size, (round(40 * 64 / 60), round(60 * 64 / 60)))
    prepared = prepare(noise(40, 60), entry)
    assert prepared.image.shape[1:] == size
    assert prepared.im_shape.tolist() == list(size)


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"type": "Padding", "target_size": [70, 50]}, (50, 70)),
        ({"type": "PaddingByAspectRatio", "aspect_ratio": 1}, (60, 60)),
        ({"type": "PaddingByAspectRatio", "aspect_ratio": 3}, (40, 120)),
    ],
)
def test_padding_is_grey_and_not_part_of_the_picture(
    entry: dict[str, Any], size: tuple[int, int]
) -> None:
    image = noise(40, 60)
    prepared = prepare(image, entry)

    assert prepared.image.shape[1:] == size
    assert prepared.im_shape.tolist() == [40, 60]
    assert np.array_equal(prepared.image[:, :40, :60], official(image).transpose(2, 0, 1))
    outside = np.ones(size, bool)
    outside[:40, :60] = False
    assert (prepared.image[:, outside] == 127.5).all()


def test_a_canvas_that_is_too_small_refuses_the_image() -> None:
    with pytest.raises(BadInputError, match="60x40"):
        prepare(noise(40, 60), {"type": "Padding", "target_size": [50, 50]})


@pytest.mark.parametrize("height", [1, 2])
def test_slivers_work(height: int) -> None:
    prepared = prepare(noise(height, 3000), {"type": "ResizeByLong", "long_size": 64})
    assert prepared.image.shape == (3, 1, 64)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "Rotate"}, "'Rotate' is unknown"),
        ({"type": "Resize", "colour": 1}, "Resize cannot be read"),
        ({"type": "Resize", "interp": "FINE"}, "Resize cannot be read"),
        ({"type": "Normalize", "std": [1, 0, 1]}, "std must not hold 0"),
        ("Resize", "must be a mapping"),
    ],
)
def test_what_cannot_be_done_is_named(entry: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_transforms([entry])


def test_shapes_are_known_where_they_do_not_depend_on_the_image() -> None:
    resize = {"type": "Resize", "target_size": [48, 32]}
    assert Preprocessor(parse_transforms([resize])).fixed_shape == (32, 48)
    long = {"type": "ResizeByLong", "long_size": 64}
    assert Preprocessor(parse_transforms([long])).fixed_shape is None
    padding = {"type": "Padding", "target_size": [64, 64]}
    assert Preprocessor(parse_transforms([long, padding])).fixed_shape == (64, 64)


def test_labels_come_back_without_padding_at_the_size_of_the_source() -> None:
    labels = np.full((8, 8), 9, np.uint8)
    labels[:4, :6] = [[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2

    back = restored(labels, np.array([4, 6], np.float32), (40, 60))
    assert back.shape == (40, 60)
    assert [back[y, x] for y, x in ((0, 0), (0, 59), (39, 0), (39, 59))] == [1, 2, 3, 4]
    assert (np.unique(back, return_counts=True)[1] == 600).all()
    assert restored(labels, np.array([4, 6], np.float32), (1, 1)).shape == (1, 1)
