from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInputError
from vision.ops.detection import Sample
from vision.ops.op_list import parse_ops
from vision.ops.preprocess import Prepared, Preprocessor
from vision.ops.resize import scale_to_fit

PERMUTE = {"type": "Permute"}
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def resize(height: int, width: int, *, keep_ratio: bool, interp: int = 1) -> dict[str, Any]:
    size = [height, width]
    return {"type": "Resize", "target_size": size, "keep_ratio": keep_ratio, "interp": interp}


def prepare(image_bgr: np.ndarray, *steps: dict[str, Any]) -> Prepared:
    return Preprocessor(parse_ops([*steps]))(image_bgr)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )


def test_planes_are_red_green_blue() -> None:
    image = np.empty((2, 3, 3), np.uint8)
    image[:] = (10, 20, 30)
    prepared = prepare(image, PERMUTE)
    assert prepared.image.shape == (3, 2, 3)
    assert prepared.image.dtype == np.float32
    assert prepared.image.flags.c_contiguous
    assert prepared.image[:, 0, 0].tolist() == [30, 20, 10]
    assert prepared.im_shape.tolist() == [2, 3]
    assert prepared.scale_factor.tolist() == [1, 1]


@pytest.mark.parametrize("is_scale", [True, False])
@pytest.mark.parametrize("norm_type", ["mean_std", "none"])
def test_normalizing_is_the_textbook_formula(is_scale: bool, norm_type: str) -> None:
    image = noise(9, 7)
    step = {"type": "NormalizeImage", "is_scale": is_scale, "norm_type": norm_type, **IMAGENET}
    rgb = image[..., ::-1].astype(np.float64) / (255 if is_scale else 1)
    if norm_type == "mean_std":
        rgb = (rgb - IMAGENET["mean"]) / IMAGENET["std"]
    found = prepare(image, step, PERMUTE).image
    assert np.allclose(found, rgb.transpose(2, 0, 1), rtol=1e-5, atol=1e-5)


def test_bytes_and_floats_are_normalized_to_the_same_bits() -> None:
    image = noise(32, 32)
    normalize = {"type": "NormalizeImage", **IMAGENET}
    from_bytes = prepare(image, normalize, PERMUTE).image
    from_floats = prepare(image, {"type": "Pad", "size": [32, 33]}, normalize, PERMUTE).image
    assert np.array_equal(from_bytes, from_floats[..., :32])


@pytest.mark.parametrize(
    "steps",
    [
        [{"type": "NormalizeImage", **IMAGENET}, PERMUTE],
        [{"type": "NormalizeImage", **IMAGENET}, PERMUTE, {"type": "PadStride", "stride": 32}],
        [PERMUTE],
        [resize(20, 30, keep_ratio=False), {"type": "NormalizeImage", **IMAGENET}, PERMUTE],
        [resize(20, 30, keep_ratio=True), PERMUTE],
    ],
)
def test_steps_in_one_go_give_the_bits_of_one_after_the_other(steps: list[dict[str, Any]]) -> None:
    image = noise(32, 40)
    sample = Sample(np.ascontiguousarray(image[..., ::-1]), im_shape=(32, 40))
    for op in parse_ops(steps):
        sample = op.apply(sample)
    assert np.array_equal(prepare(image, *steps).image, sample.image.astype(np.float32))


def test_an_image_already_of_the_size_is_left_alone() -> None:
    image = noise(20, 30)
    prepared = prepare(image, resize(20, 30, keep_ratio=False), PERMUTE)
    assert np.array_equal(prepared.image, image[..., ::-1].transpose(2, 0, 1))


def test_resizing_to_a_size_tells_both_scales() -> None:
    prepared = prepare(noise(100, 50), resize(320, 200, keep_ratio=False), PERMUTE)
    assert prepared.image.shape == (3, 320, 200)
    assert prepared.scale_factor.tolist() == pytest.approx([3.2, 4.0])
    assert prepared.im_shape.tolist() == [320, 200]


@pytest.mark.parametrize("interp", range(5))
def test_interpolation_is_cv2s(interp: int) -> None:
    image = noise(64, 48)
    expected = cv2.resize(image, (32, 40), interpolation=interp)[..., ::-1].transpose(2, 0, 1)
    step = resize(40, 32, keep_ratio=False, interp=interp)
    assert np.array_equal(prepare(image, step, PERMUTE).image, expected)


@pytest.mark.parametrize(
    ("size", "target", "scale"),
    [
        ((480, 640), (800, 1333), 800 / 480),  # the short side becomes 800, the long one 1067
        ((400, 1000), (800, 1333), 1333 / 1000),  # 2000 would be too long
        ((1000, 400), (800, 1333), 1333 / 1000),
        ((480, 640), (640, 640), 1.0),
    ],
)
def test_scale_to_fit(size: tuple[int, int], target: tuple[int, int], scale: float) -> None:
    assert scale_to_fit(size, target) == scale


def test_keeping_the_ratio_tells_one_scale() -> None:
    prepared = prepare(noise(400, 1000), resize(800, 1333, keep_ratio=True), PERMUTE)
    assert prepared.image.shape == (3, 533, 1333)
    assert prepared.scale_factor.tolist() == pytest.approx([1.333, 1.333])
    assert prepared.im_shape.tolist() == [533, 1333]


def test_stride_padding_is_zero_and_not_part_of_the_shape() -> None:
    image = noise(33, 64)
    prepared = prepare(image, PERMUTE, {"type": "PadStride", "stride": 32})
    assert prepared.image.shape == (3, 64, 64)
    assert np.array_equal(prepared.image[:, :33], image[..., ::-1].transpose(2, 0, 1))
    assert not prepared.image[:, 33:].any()
    assert prepared.im_shape.tolist() == [33, 64]


def test_no_stride_means_no_padding() -> None:
    prepared = prepare(noise(33, 35), PERMUTE, {"type": "PadStride", "stride": 0})
    assert prepared.image.shape == (3, 33, 35)


def test_a_canvas_is_filled_with_its_rgb_colour() -> None:
    image = noise(4, 5)
    step = {"type": "Pad", "size": [6, 8], "fill_value": [1.0, 2.0, 3.0]}
    prepared = prepare(image, step, PERMUTE)
    assert np.array_equal(prepared.image[:, :4, :5], image[..., ::-1].transpose(2, 0, 1))
    assert prepared.image[:, 5, 7].tolist() == [1, 2, 3]
    assert prepared.image[:, 0, 7].tolist() == [1, 2, 3]


def test_a_canvas_that_is_too_small_is_this_images_problem() -> None:
    with pytest.raises(BadInputError, match="9x4 does not fit on a canvas of 8x6") as caught:
        prepare(noise(4, 9), {"type": "Pad", "size": [6, 8]}, PERMUTE)
    assert caught.value.reason == "preprocess_failed"


def test_a_letterbox_is_centred_on_grey() -> None:
    image = np.zeros((50, 100, 3), np.uint8)
    step = {"type": "LetterBoxResize", "target_size": [100, 100]}
    prepared = prepare(image, step, PERMUTE)
    assert prepared.image.shape == (3, 100, 100)
    assert (prepared.image[:, :25] == 128).all()
    assert (prepared.image[:, 25:75] == 0).all()
    assert (prepared.image[:, 75:] == 128).all()
    assert prepared.im_shape.tolist() == [50, 100]
    assert prepared.scale_factor.tolist() == [1, 1]


CHAINS: list[tuple[list[dict[str, Any]], tuple[int, int] | None]] = [
    ([resize(64, 96, keep_ratio=False), PERMUTE], (64, 96)),
    ([resize(64, 96, keep_ratio=True), PERMUTE], None),
    ([resize(64, 96, keep_ratio=False), PERMUTE, {"type": "PadStride", "stride": 40}], (80, 120)),
    ([resize(64, 64, keep_ratio=True), {"type": "Pad", "size": 64}, PERMUTE], (64, 64)),
    ([{"type": "LetterBoxResize", "target_size": [48, 80]}, PERMUTE], (48, 80)),
    ([PERMUTE, {"type": "PadStride", "stride": 32}], None),
]


@pytest.mark.parametrize(("steps", "shape"), CHAINS)
@settings(deadline=None, max_examples=25)
@given(height=st.integers(1, 300), width=st.integers(1, 300))
def test_a_fixed_shape_is_what_every_image_gets(
    steps: list[dict[str, Any]], shape: tuple[int, int] | None, height: int, width: int
) -> None:
    preprocessor = Preprocessor(parse_ops(steps))
    image = noise(height, width)
    before = image.copy()
    prepared = preprocessor(image)
    assert preprocessor.fixed_shape == shape
    assert shape is None or prepared.image.shape == (3, *shape)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("steps", [chain for chain, _ in CHAINS])
def test_slivers_work(steps: list[dict[str, Any]], size: tuple[int, int]) -> None:
    prepared = Preprocessor(parse_ops(steps))(noise(*size))
    assert min(prepared.image.shape) >= 1
    assert np.isfinite(prepared.image).all()
