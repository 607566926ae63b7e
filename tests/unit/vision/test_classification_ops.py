"""PaddleClas's preprocessing, against its own formulas written out."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadInputError, UsageError
from vision.ops.classification import parse_transform_ops
from vision.ops.preprocess import Preprocessor

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
NORMALIZE = {"NormalizeImage": {"scale": "1.0/255.0", "mean": MEAN, "std": STD, "order": ""}}
TO_CHW: dict[str, Any] = {"ToCHWImage": None}


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


def prepared(image_bgr: NDArray[np.uint8], *steps: dict[str, Any]) -> NDArray[np.float32]:
    return Preprocessor(parse_transform_ops([*steps, TO_CHW]))(image_bgr).image


def test_the_usual_four_steps() -> None:
    image = noise(300, 451)
    scale = 64 / 300
    rgb = cv2.resize(image[:, :, ::-1], (round(451 * scale), 64), interpolation=cv2.INTER_LINEAR)
    left = (rgb.shape[1] - 56) // 2
    crop = rgb[4:60, left : left + 56]
    expected = (crop.astype("float32") * np.float32(1 / 255) - np.float32(MEAN)) / np.float32(STD)

    found = prepared(
        image, {"ResizeImage": {"resize_short": 64}}, {"CropImage": {"size": 56}}, NORMALIZE
    )
    assert np.array_equal(found, expected.transpose(2, 0, 1))


def test_pillow_can_do_the_scaling() -> None:
    image = noise(50, 70)
    rgb = Image.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    expected = np.asarray(rgb.resize((33, 21), Image.Resampling.BICUBIC))

    resize = {"size": [33, 21], "interpolation": "bicubic", "backend": "pil"}
    assert np.array_equal(prepared(image, {"ResizeImage": resize}), expected.transpose(2, 0, 1))


def test_an_image_that_is_too_small_for_the_crop_is_refused() -> None:
    with pytest.raises(BadInputError, match="30x20"):
        prepared(noise(20, 30), {"CropImage": {"size": 24}})


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"RandFlipImage": None}, "'RandFlipImage' is unknown"),
        ({"ResizeImage": {}}, "neither size nor resize_short"),
        ({"ResizeImage": {"size": 5, "interpolation": "soft"}}, "'soft' of cv2 is unknown"),
        ({"NormalizeImage": {"order": "chw"}}, "only as the last dimension"),
        ({"NormalizeImage": {"order": "", "std": [0, 1, 1]}}, "std must not hold 0"),
        ({"DecodeImage": {"to_rgb": False}}, "only RGB"),
        ({"CropImage": {"size": 0}}, "must be positive"),
        ("ToCHWImage", "one name with arguments"),
    ],
)
def test_what_cannot_be_done_is_named(step: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_transform_ops([step, TO_CHW])


def test_the_channels_have_to_come_first_at_the_end() -> None:
    with pytest.raises(UsageError, match="end with ToCHWImage"):
        parse_transform_ops([{"ResizeImage": {"size": 5}}])
