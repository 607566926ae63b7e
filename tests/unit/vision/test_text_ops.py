import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.ops.classification import ScaleAndNormalize
from vision.ops.detection import Op, Permute
from vision.ops.preprocess import Preprocessor
from vision.ops.text import FixedSize, LimitSide, padded_size

TO_FLOAT = (ScaleAndNormalize(1.0, (0, 0, 0), (1, 1, 1)), Permute())


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("op", "size", "expected"),
    [
        # No side is over the limit: the nearest multiples of 32 (half goes to the even one).
        (LimitSide(960, "max"), (480, 640), (480, 640)),
        (LimitSide(960, "max"), (500, 650), (512, 640)),
        (LimitSide(960, "max"), (48, 80), (64, 64)),
        (LimitSide(960, "max"), (10, 900), (32, 896)),
        # 1200 * 0.8 = 960; 1000 * 0.8 = 800.
        (LimitSide(960, "max"), (1000, 1200), (800, 960)),
        # 2775 * 960 / 4317 = 617.09..., cut to 617, 19.28 times 32.
        (LimitSide(960, "max"), (2775, 4317), (608, 960)),
        # 651 * 960 / 1002 = 623.7, cut to 623, 19.47 times 32; 624 would be 19.5 times, so 20.
        (LimitSide(960, "max"), (651, 1002), (608, 960)),
        # The short side grows to 736; 736 / 300 * 400 = 981.3.
        (LimitSide(736, "min"), (300, 400), (736, 992)),
        (LimitSide(736, "min"), (800, 900), (800, 896)),
        # ... but never so that the long one passes 4000.
        (LimitSide(736, "min"), (100, 2000), (192, 4000)),
        (LimitSide(736, "min"), (6000, 1000), (4000, 672)),
        (LimitSide(640, "resize_long"), (100, 320), (192, 640)),
        (FixedSize((640, 320)), (77, 99), (640, 320)),
        (FixedSize((64, 320), keep_ratio=True), (50, 100), (64, 128)),
        (FixedSize((64, 320), keep_ratio=True), (50, 101), (64, 160)),
    ],
)
def test_sizes(op: Op, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert op.output_size(size) == expected
    prepared = Preprocessor([op, *TO_FLOAT])(np.zeros((*size, 3), np.uint8))
    assert prepared.image.shape == (3, *expected)
    assert prepared.im_shape.tolist() == list(expected)
    wanted = (expected[0] / size[0], expected[1] / size[1])
    assert prepared.scale_factor.tolist() == pytest.approx(wanted)


def test_pixels_are_cv2s_and_blue_stays_first() -> None:
    image = picture(500, 650)
    prepared = Preprocessor([LimitSide(960, "max"), *TO_FLOAT])(image)
    assert np.array_equal(prepared.image, cv2.resize(image, (640, 512)).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), (32, 32)), ((40, 20), (40, 32)), ((32, 32), (32, 32)), ((1, 63), (1, 63))],
)
def test_a_tiny_picture_gets_a_canvas(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert padded_size(size) == expected


def test_the_canvas_is_black_on_the_right_and_below() -> None:
    prepared = Preprocessor([LimitSide(960, "max"), *TO_FLOAT])(np.full((16, 20, 3), 200, np.uint8))
    assert prepared.image.shape == (3, 32, 32)
    assert (prepared.image[:, :16, :20] == 200).all()
    assert not prepared.image[:, 16:].any()
    assert not prepared.image[:, :, 20:].any()


def test_what_is_known_of_the_size_without_a_picture() -> None:
    assert LimitSide(960, "max").output_size(None) is None
    assert FixedSize((640, 320)).output_size(None) == (640, 320)
    assert FixedSize((64, 320), keep_ratio=True).output_size(None) is None
