"""Lines in the corner of a picture: they can be read, and leave most of it to be seen."""

import cv2
import numpy as np
import pytest

from predictions.answer import ClassScore
from vision.draw.caption import draw_classes
from vision.draw.look import Look, Strokes
from vision.draw.strip import label_strip, shortened, strip_size
from vision.palette import colour_of

GREY = 90


def grey(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def finds(drawn: np.ndarray, text: str, font_px: int) -> bool:
    strip = label_strip(text, font_px, colour_of(0))
    return bool(cv2.matchTemplate(drawn, strip, cv2.TM_SQDIFF).min() < 1)


@pytest.mark.parametrize("wh", [(4317, 2775), (359, 423), (160, 188), (640, 480)])
def test_a_caption_has_the_usual_font_whatever_the_pictures_size(wh: tuple[int, int]) -> None:
    drawn = draw_classes(grey(*wh), [ClassScore("boat", 0, 0.875)])
    assert finds(drawn, "boat 0.88", Strokes.for_image(*wh).font_px)


def test_a_long_name_is_shortened_and_keeps_its_score() -> None:
    name = "beach wagon, station wagon, wagon, estate car, beach waggon, station waggon"
    drawn = draw_classes(grey(359, 423), [ClassScore(name, 0, 0.5)])
    font_px = Strokes.for_image(359, 423).font_px
    text = shortened(f"{name} 0.50", font_px, 359 - font_px)
    assert text.startswith("beach wagon, ")
    assert text.endswith("\N{HORIZONTAL ELLIPSIS} 0.50")
    assert finds(drawn, text, font_px)


def test_what_fits_is_not_shortened() -> None:
    width, _ = strip_size("boat 0.50", 20)
    assert shortened("boat 0.50", 20, width) == "boat 0.50"
    assert shortened("boat 0.50", 20, width - 1) == "bo\N{HORIZONTAL ELLIPSIS} 0.50"


def test_many_lines_take_half_of_the_picture_at_most() -> None:
    image = grey(640, 480)
    for count in (5, 20, 80):
        drawn = draw_classes(image, [ClassScore(f"class {n}", n, 0.5) for n in range(count)])
        used = (drawn != GREY).any((1, 2))
        assert 0 < used.nonzero()[0].max() < 270


def test_without_scores_there_are_names() -> None:
    classes = [ClassScore("boat", 0, 0.5)]
    drawn = draw_classes(grey(640, 480), classes, Look(scores=False))
    assert finds(drawn, "boat", Strokes.for_image(640, 480).font_px)
    assert not finds(drawn, "boat 0.50", Strokes.for_image(640, 480).font_px)


@pytest.mark.parametrize("wh", [(1, 1), (3, 60), (60, 3), (12, 12)])
def test_any_picture_can_have_a_caption(wh: tuple[int, int]) -> None:
    assert draw_classes(grey(*wh), [ClassScore("boat", 0, 0.5)] * 9).shape == (wh[1], wh[0], 3)
