import io

import numpy as np
import pytest
from PIL import Image

from core.wording import percent
from predictions.answer import ClassScore
from vision.draw.caption import draw_classes
from vision.draw.look import Look
from vision.draw.segments import draw_segments, encode_mask
from vision.palette import colour_of


def test_a_mask_holds_the_classes_and_shows_their_colours() -> None:
    labels = np.array([[0, 1, 255], [19, 20, 21]], np.uint8)
    png = encode_mask(labels)
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels)
        blue, green, red = colour_of(19)
        assert image.convert("RGB").getpixel((0, 1)) == (red, green, blue)
    assert encode_mask(labels) == png


def test_a_class_covers_its_pixels_and_background_does_not() -> None:
    image = np.full((200, 200, 3), 100, np.uint8)
    labels = np.zeros((200, 200), np.uint8)
    labels[150:] = 1
    present = [ClassScore("b", 1, 0.25), ClassScore("a", 0, 0.75)]
    bare = Look(labels=False)
    drawn = draw_segments(image, labels, present, 0.5, background=0, look=bare)

    assert (drawn[:150] == 100).all()
    assert drawn[180, 100] == pytest.approx([(100 + c) / 2 for c in colour_of(1)], abs=1)
    assert (draw_segments(image, labels, present, 0.0, None, bare) == image).all()
    # What a row leaves out is not drawn either.
    some = draw_segments(image, labels, present[1:], 0.5, None, bare)
    assert (some[150:] == 100).all()
    assert (some[:150] != 100).any()
    assert (image == 100).all()


@pytest.mark.parametrize("size", [(1, 1), (12, 700), (3000, 4000)])
def test_lines_stay_inside(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    classes = [ClassScore(f"a class with a long name {n}", n, 0.5) for n in range(40)]
    drawn = draw_classes(image, classes)

    assert drawn.shape == image.shape
    assert not image.any()
    if min(size) > 100:
        assert drawn.any()


def test_the_legend_has_shares_as_the_map_has_them() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    labels = np.zeros((400, 400), np.uint8)
    labels[:100] = 1
    told = [ClassScore("sky", 0, 0.1), ClassScore("water", 1, 0.9)]
    right = [ClassScore("sky", 0, 0.75), ClassScore("water", 1, 0.25)]
    drawn = draw_segments(image, labels, told, 0.0, None)
    assert np.array_equal(drawn, draw_segments(image, labels, right, 0.0, None))
    assert drawn.any()
    alone = draw_segments(image, labels, told, 0.0, background=1)
    assert np.array_equal(alone, draw_segments(image, labels, told[:1], 0.0, None))


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0%"), (0.0001, "<1%"), (0.005, "<1%"), (0.006, "1%"), (1.0, "100%")]
)
def test_what_is_there_has_a_share(share: float, said: str) -> None:
    assert percent(share) == said
