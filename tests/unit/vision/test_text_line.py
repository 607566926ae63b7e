import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.ops.preprocess import Preprocessor
from vision.ops.text_line import LineInput, crop_line, upright, width_buckets


def picture(height: int = 60, width: int = 200) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3)).astype(np.uint8)


def quad(*corners: tuple[float, float]) -> NDArray[np.float32]:
    return np.array(corners, np.float32)


def test_a_lying_rectangle_is_its_pixels() -> None:
    image = picture()
    line = crop_line(image, quad((20, 10), (120, 10), (120, 30), (20, 30)))
    assert np.array_equal(line, image[10:30, 20:120])


def test_a_standing_line_is_laid_down() -> None:
    image = picture(200, 60)
    line = crop_line(image, quad((10, 20), (30, 20), (30, 120), (10, 120)))
    # Its top goes to the left, its right side up.
    assert line.shape == (20, 100, 3)
    assert np.array_equal(line, np.rot90(image[20:120, 10:30]))


@pytest.mark.parametrize(("height", "laid"), [(149, False), (150, True)])
def test_what_is_half_as_high_again_stands(height: int, laid: bool) -> None:
    image = picture(200, 150)
    line = crop_line(image, quad((10, 10), (110, 10), (110, 10 + height), (10, 10 + height)))
    assert line.shape[:2] == ((100, height) if laid else (height, 100))


def test_a_turned_line_is_straightened() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    corners = cv2.boxPoints(((100.0, 100.0), (120.0, 30.0), 25.0))
    cv2.fillPoly(image, [np.round(corners).astype(np.int32)], (200, 100, 50))
    # boxPoints: lower left, upper left, upper right, lower right.
    line = crop_line(image, corners[[1, 2, 3, 0]])
    assert line.shape[:2] == pytest.approx((30, 120), abs=1)
    assert (line[3:-3, 3:-3] == [200, 100, 50]).all()


@pytest.mark.parametrize(
    "corners",
    [
        [(5, 5)] * 4,
        [(5, 5), (90, 5), (90, 5), (5, 5)],
        [(5, 5), (5, 40), (5, 40), (5, 5)],
        [(5, 5), (90, 25), (170, 45), (5, 5)],
        [(0, 0), (1, 0), (1, 1), (0, 1)],
        [(190, 50), (5, 5), (8, 30), (120, 3)],
    ],
)
def test_no_quad_is_too_thin(corners: list[tuple[float, float]]) -> None:
    line = crop_line(picture(), quad(*corners))
    assert min(line.shape) >= 1
    assert Preprocessor([LineInput(48, width_buckets(320))])(line).image.shape[:2] == (3, 48)


def test_a_line_in_a_picture_that_cv2_cannot_warp() -> None:
    image = np.zeros((40, 34000, 3), np.uint8)
    image[10:30, 33000:33500] = 255
    near = crop_line(image, quad((33000, 10), (33499, 11), (33499, 29), (33000, 29)))
    assert near.shape[:2] == (19, 499)
    assert (near[2:-2, 2:-2] == 255).all()
    whole = crop_line(image, quad((100, 10), (33600, 11), (33600, 29), (100, 29)))
    assert whole.shape[:2] == (19, 33500)
    assert (whole[5:-5, 33000:33300] == 255).all()
    assert not whole[:, :32000].any()


def test_only_a_sure_half_turn_turns() -> None:
    line = picture(20, 50)
    for label in ("180", "180_degree"):
        assert np.array_equal(upright(line, label, 0.91), line[::-1, ::-1])
        assert upright(line, label, 0.9) is line
        assert upright(line, label, float("nan")) is line
    assert upright(line, "0_degree", 0.99) is line


def test_a_line_keeps_its_aspect_and_gets_zeros_on_its_right() -> None:
    image = np.full((24, 60, 3), (0, 128, 255), np.uint8)
    prepared = Preprocessor([LineInput(48, (320, 384))])(image)
    assert prepared.image.shape == (3, 48, 320)
    for plane, value in zip(prepared.image, (-1, 2 * 128 / 255 - 1, 1), strict=True):
        assert plane[:, :120] == pytest.approx(value, abs=1e-6)  # blue first
    assert not prepared.image[:, :, 120:].any()
    assert prepared.im_shape.tolist() == [48, 120]
    assert prepared.scale_factor.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("size", "width"),
    [
        ((48, 320), 320),
        ((48, 321), 384),
        ((24, 192), 384),
        ((48, 385), 448),
        ((48, 3300), 3200),
        ((1, 5000), 3200),
        ((5000, 1), 320),
    ],
)
def test_the_width_is_by_the_lines_own_aspect(size: tuple[int, int], width: int) -> None:
    op = LineInput(48, width_buckets(320))
    assert Preprocessor([op])(np.zeros((*size, 3), np.uint8)).image.shape == (3, 48, width)
    assert op.output_size(size) == (48, width)


def test_one_width_squeezes_what_is_longer() -> None:
    op = LineInput(48, (192,))
    prepared = Preprocessor([op])(np.full((48, 400, 3), 255, np.uint8))
    assert prepared.image.shape == (3, 48, 192)
    assert (prepared.image == 1).all()
    assert op.output_size(None) == (48, 192)
    assert LineInput(48, (192, 320)).output_size(None) is None


def test_each_bucket_is_little_wider_than_the_one_before() -> None:
    widths = width_buckets(320)
    assert (widths[0], widths[-1]) == (320, 3200)
    assert all(width % 32 == 0 for width in widths)
    for narrow, wide in itertools.pairwise(widths):
        assert 0 < (wide - narrow) / wide <= 1 / 6
    assert width_buckets(3200) == (3200,)
