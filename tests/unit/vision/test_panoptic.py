import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.errors import BadInputError
from vision.draw.panoptic import decode_panoptic, draw_panoptic, encode_panoptic, legend_of
from vision.outputs.panoptic import read_panoptic
from vision.palette import colour_of

LABELS = ["person", "boat", "sky"]
SKY, WOMAN, MAN = 3000, 1001, 1002  # class 2, and two of class 0


def beach() -> NDArray[np.int32]:
    ids = np.full((20, 30), SKY, np.int32)
    ids[5:15, 2:6] = WOMAN
    ids[8:20, 10:12] = MAN
    ids[18:, 25:] = 0
    return ids


def test_segments_are_what_coco_says_of_them() -> None:
    ids = beach()
    found = read_panoptic(ids, LABELS)
    assert [segment.id for segment in found] == [WOMAN, MAN, SKY]
    for segment in found:
        rows, columns = np.nonzero(ids == segment.id)
        assert segment.area == len(rows)
        assert segment.box == (
            columns.min(),
            rows.min(),
            columns.max() + 1,
            rows.max() + 1,
        )
    assert [segment.class_id for segment in found] == [0, 0, 2]
    assert [segment.label for segment in found] == ["person", "person", "sky"]
    assert [segment.is_thing for segment in found] == [True, True, False]


def test_the_png_holds_the_numbers() -> None:
    ids = beach()
    ids[0, 0] = 133_007
    png = encode_panoptic(ids)
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "RGB"
        red, green, blue = np.moveaxis(np.asarray(image).astype(int), -1, 0)
    assert (red + 256 * green + 65536 * blue == ids).all()
    assert encode_panoptic(ids) == png
    assert np.array_equal(decode_panoptic(png), ids)


@pytest.mark.parametrize("shape", [(1, 1), (7, 9)])
def test_nothing_is_an_answer(shape: tuple[int, int]) -> None:
    ids = np.zeros(shape, np.int32)
    assert read_panoptic(ids, []) == ()
    image = np.full((*shape, 3), 50, np.uint8)
    assert (draw_panoptic(image, ids, [], 0.5) == 50).all()
    with Image.open(io.BytesIO(encode_panoptic(ids))) as png:
        assert not np.asarray(png).any()


def test_a_single_pixel_is_a_segment() -> None:
    [segment] = read_panoptic(np.array([[WOMAN]], np.int32), LABELS)
    assert (segment.area, segment.box) == (1, (0, 0, 1, 1))


@pytest.mark.parametrize("wrong", [-1, 7, 999, 256**3])
def test_numbers_that_stand_for_nothing_are_no_answer(wrong: int) -> None:
    ids = beach()
    ids[0, 0] = wrong
    with pytest.raises(BadInputError, match="the model gave segments"):
        read_panoptic(ids, LABELS)


def test_things_of_a_class_have_colours_of_their_own_and_nothing_has_none() -> None:
    large: Any = np.kron(beach(), np.ones((20, 20), np.int32))
    image = np.full((*large.shape, 3), 90, np.uint8)
    drawn = draw_panoptic(image, large, read_panoptic(large, LABELS), 0.5)
    inside = {
        name: drawn[y * 20 + 10, x * 20 + 10]
        for name, (y, x) in {"woman": (10, 4), "man": (15, 10), "sky": (4, 27)}.items()
    }
    assert inside["woman"] == pytest.approx((90 + np.array(colour_of(0))) / 2, abs=1)
    assert inside["sky"] == pytest.approx((90 + np.array(colour_of(2))) / 2, abs=1)
    assert (inside["man"] != inside["woman"]).any()
    assert (drawn[390, 590] == 90).all()
    assert (drawn[200, 40] == 255).all()  # where the woman ends and the sky begins
    assert (image == 90).all()


def test_the_legend_has_each_class_once_the_largest_first() -> None:
    lines = legend_of(read_panoptic(beach(), LABELS), 600)
    assert [text for _, text in lines] == ["sky 88%", "person x2 11%"]
    assert lines[0][0] == 2
