import io
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import UsageError
from vision.draw.matting import alpha_bytes, encode_alpha, encode_cutout, over_background
from vision.ops.matting import parse_matting, restored_alpha
from vision.ops.preprocess import Preprocessor

LOAD, NORMALIZE = {"type": "LoadImages"}, {"type": "Normalize"}
PPMATTING = [
    LOAD,
    {"type": "LimitShort", "max_short": 64},
    {"type": "ResizeToIntMult", "mult_int": 32},
    NORMALIZE,
]
MODNET = [LOAD, {"type": "ResizeByShort", "short_size": 64}, {"type": "ResizeToIntMult"}, NORMALIZE]
FIXED = [
    LOAD,
    {"type": "ResizeByLong", "long_size": 90},
    {"type": "Padding", "target_size": [96, 96]},
    {"type": "LimitLong", "max_long": 64},
    {"type": "Resize", "target_size": [48, 32]},
    NORMALIZE,
]


def picture(height: int, width: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(height * width).integers(0, 256, (height, width, 3))
    return cv2.GaussianBlur(noise.astype(np.uint8), (5, 5), 0)


def scale_of(step: dict[str, Any], height: int, width: int) -> float | None:
    """By how much a transform of the official tool scales a picture in its own shape."""
    short, long = min(height, width), max(height, width)
    return {
        "LimitShort": lambda: min(1, step["max_short"] / short),
        "LimitLong": lambda: min(1, step["max_long"] / long),
        "ResizeByShort": lambda: step["short_size"] / short,
        "ResizeByLong": lambda: step["long_size"] / long,
    }.get(step["type"], lambda: None)()


def official(image_bgr: NDArray[np.uint8], transforms: list[dict[str, Any]]) -> Any:
    """PaddleSeg's matting tool, step by step: the input, and how to take the alpha back."""
    image: Any = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
    undo = []
    for step in transforms:
        height, width = image.shape[:2]
        scale = scale_of(step, height, width)
        size = step.get("target_size") if step["type"] == "Resize" else None
        if scale is not None:
            size = round(width * scale), round(height * scale)
        elif step["type"] == "ResizeToIntMult":
            size = width - width % 32, height - height % 32
        if size is not None:
            undo.append(("resize", (height, width)))
            image = cv2.resize(image, tuple(size), interpolation=cv2.INTER_LINEAR)
        elif step["type"] == "Padding":
            undo.append(("padding", (height, width)))
            down, right = max(0, 96 - height), max(0, 96 - width)
            grey = (127.5, 127.5, 127.5)
            image = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT, value=grey)
    fed = ((image.astype(np.float32) / 255.0 - 0.5) / 0.5).transpose(2, 0, 1)

    def restore(alpha: Any) -> Any:
        for what, (height, width) in undo[::-1]:
            if what == "resize":
                alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
            else:
                alpha = alpha[:height, :width]
        return (alpha * 255).astype("uint8")

    return fed, restore


@pytest.mark.parametrize("transforms", [PPMATTING, MODNET, FIXED])
@pytest.mark.parametrize("size", [(70, 100), (333, 77), (64, 64)])
def test_pictures_and_alpha_go_the_official_way_and_back(
    transforms: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    image, ops = picture(*size), parse_matting(transforms)
    fed, restore = official(image, transforms)
    prepared = Preprocessor(ops)(image)
    np.testing.assert_allclose(prepared.image, fed, atol=1e-6)

    alpha = np.random.default_rng(1).uniform(0, 1, fed.shape[1:]).astype(np.float32)
    found = alpha_bytes(restored_alpha(alpha, ops, size))
    assert found.shape == size
    assert (found == restore(alpha)).all()


@pytest.mark.parametrize("size", [(1, 1), (5, 900)])
def test_slivers_are_prepared_and_come_back(size: tuple[int, int]) -> None:
    ops = parse_matting(PPMATTING)
    prepared = Preprocessor(ops)(picture(*size))
    assert min(prepared.image.shape[1:]) == 32
    alpha = np.ones(prepared.image.shape[1:], np.float32)
    assert (restored_alpha(alpha, ops, size) == np.ones(size)).all()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"type": "LoadImages", "to_rgb": False}, "read BGR"),
        ({"type": "RandomBlur"}, "'RandomBlur' is unknown"),
        ({"type": "Resize", "random_interp": True}, "for training"),
    ],
)
def test_transforms_that_cannot_be_run_are_named(step: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_matting([LOAD, step])


def test_alpha_is_a_grey_png_and_the_transparency_of_a_cut_out() -> None:
    image = picture(20, 30)
    alpha = alpha_bytes(np.linspace(-0.5, 1.5, 600, dtype=np.float32).reshape(20, 30))
    assert (alpha.min(), alpha.max()) == (0, 255)
    with Image.open(io.BytesIO(encode_alpha(alpha))) as grey:
        assert grey.mode == "L"
        assert (np.asarray(grey) == alpha).all()
    with Image.open(io.BytesIO(encode_cutout(image, alpha))) as cutout:
        assert cutout.mode == "RGBA"
        assert (np.asarray(cutout)[..., 3] == alpha).all()
        assert (np.asarray(cutout)[..., :3] == image[..., ::-1]).all()
    assert encode_alpha(alpha) == encode_alpha(alpha)


def test_a_picture_stands_in_front_of_a_colour() -> None:
    image = picture(20, 30)
    alpha = np.arange(600).reshape(20, 30).astype(np.uint8)
    colour = (10, 200, 30)
    share = alpha[..., None] / 255
    expected = share * image + (1 - share) * np.array(colour)
    found = over_background(image, alpha, colour)
    assert np.abs(found - expected).max() <= 0.5 + 1e-3
    assert (over_background(image, np.full((20, 30), 255, np.uint8), colour) == image).all()
    assert (over_background(image, np.zeros((20, 30), np.uint8), colour) == colour).all()
