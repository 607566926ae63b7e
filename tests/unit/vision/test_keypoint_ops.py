import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from vision.ops.detection import Permute, Sample
from vision.ops.keypoint import EvalAffine, TopDownEvalAffine
from vision.ops.person_crop import person_crop
from vision.ops.preprocess import Preprocessor
from vision.rectangle import Rectangle

TINY = TopDownEvalAffine((96, 128))
UDP = TopDownEvalAffine((96, 128), use_udp=True)


def dot(size: tuple[int, int], x: int, y: int) -> np.ndarray:
    """A soft white dot on black, uint8 (h, w, 3)."""
    image = np.zeros((*size, 3), np.uint8)
    cv2.circle(image, (x, y), 9, (255, 255, 255), cv2.FILLED)
    return image


def middle_of(image: np.ndarray) -> tuple[float, float]:
    """The centre of brightness (x, y); a scaled disk's is right to a tenth of a pixel."""
    weights = image[..., 0].astype(float)
    rows, columns = np.indices(weights.shape)
    return (weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        # 100x100 grows to 130x130 about (150, 150); it is no slimmer than 3:4.
        ((100, 100, 200, 200), (480, 640), (85, 85, 215, 215)),
        # 40x200 grows to 52x260 and is widened to 3/4 of the height, 195.
        ((100, 100, 140, 300), (480, 640), (22, 70, 217, 330)),
        # Coordinates are truncated first, and the last row and column never take part.
        ((0.9, 0.9, 639.9, 479.9), (480, 640), (0, 0, 639, 479)),
        ((-5.7, 10.2, 60.9, 80.1), (480, 640), (0, 0, 69, 90)),
        ((600, 400, 700, 500), (480, 640), (585, 385, 639, 479)),
    ],
)
def test_the_crop_of_a_person(
    box: tuple[float, ...], size: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert person_crop(box, size) == Rectangle(*expected)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((0, 0, 1, 1), (1, 1)),
        ((10.2, 10.1, 10.9, 10.8), (480, 640)),
        ((700, 10, 800, 100), (480, 640)),
        ((-100, -100, -20, -20), (480, 640)),
    ],
)
def test_no_crop_where_nothing_is_left(box: tuple[float, ...], size: tuple[int, int]) -> None:
    assert person_crop(box, size) is None


def test_the_width_of_a_crop_fills_the_models() -> None:
    crop = dot((500, 240), 60, 250)
    shown = TINY.apply(Sample(crop, im_shape=(500, 240))).image
    assert shown.shape == (128, 96, 3)
    assert middle_of(shown) == pytest.approx((60 * 96 / 240, 64), abs=0.1)


def test_what_a_low_crop_leaves_is_black() -> None:
    shown = TINY.apply(Sample(np.full((100, 240, 3), 200, np.uint8), im_shape=(100, 240))).image
    assert (shown[:43] == 0).all()
    assert (shown[-43:] == 0).all()
    assert (shown[50:78] == 200).all()


def test_an_unbiased_crop_fills_both_sides_from_pixel_to_pixel() -> None:
    ramp = np.repeat(np.arange(96, dtype=np.uint8)[None, :, None], 3, axis=2) * np.ones(
        (128, 1, 1), np.uint8
    )
    shown = UDP.apply(Sample(ramp, im_shape=(128, 96))).image
    # 95 steps of the model lie on 96 of the crop; the last one ends where the crop does.
    assert shown[5, :95, 0] == pytest.approx(np.arange(95) * 96 / 95, abs=1)


@pytest.mark.parametrize("op", [TINY, UDP])
@pytest.mark.parametrize("size", [(512, 384), (300, 384), (700, 301)])
def test_a_crop_and_its_way_back_agree(op: TopDownEvalAffine, size: tuple[int, int]) -> None:
    x, y = size[1] // 3, size[0] // 2 + 20
    shown = op.apply(Sample(dot(size, x, y), im_shape=size)).image
    crop = np.array([[17, 29, 17 + size[1], 29 + size[0]]])
    cells = np.array(middle_of(shown))[None, None] / 4
    back = op.restored(cells, (32, 24), crop)
    # A middle between pixels is rounded, as the official tools do.
    assert back[0, 0] == pytest.approx((x + 17, y + 29), abs=0.5 + size[1] / 96 / 8)


def test_nobody_to_restore() -> None:
    assert TINY.restored(np.empty((0, 17, 2)), (32, 24), np.empty((0, 4), int)).shape == (0, 17, 2)


def test_a_crop_is_prepared_without_touching_the_picture() -> None:
    image = np.random.default_rng(5).integers(0, 256, (480, 640, 3), np.uint8)
    before = image.copy()
    prepared = Preprocessor((TINY, Permute()))(image[100:300, 50:200])
    alone = Preprocessor((TINY, Permute()))(image[100:300, 50:200].copy())
    assert prepared.image.shape == (3, 128, 96)
    assert np.array_equal(prepared.image, alone.image)
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("size", "canvas"),
    [
        ((1, 1), (64, 64)),
        ((480, 640), (64, 128)),
        ((640, 480), (128, 64)),
        ((500, 500), (64, 64)),
        ((100, 1600), (64, 1024)),
    ],
)
def test_the_canvas_is_a_multiple_of_64(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    assert EvalAffine(64).apply(Sample(image, im_shape=size)).image.shape == (*canvas, 3)


@pytest.mark.parametrize("size", [(480, 640), (641, 480), (333, 500)])
def test_a_canvas_and_its_way_back_agree(size: tuple[int, int]) -> None:
    x, y = size[1] // 3, size[0] // 2 + 20
    op = EvalAffine(256)
    shown = op.apply(Sample(dot(size, x, y), im_shape=size)).image
    back = op.restored(np.array(middle_of(shown), np.float32), shown.shape[:2], size)
    assert back == pytest.approx((x, y), abs=0.2)


def test_a_strip_is_refused_before_it_is_blown_up() -> None:
    with pytest.raises(BadInputError, match="3000x2 is too long") as caught:
        EvalAffine(512).apply(Sample(np.zeros((2, 3000, 3), np.uint8), im_shape=(2, 3000)))
    assert caught.value.reason == "preprocess_failed"
