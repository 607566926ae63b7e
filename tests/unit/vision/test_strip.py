import numpy as np
import pytest
from PIL import Image, ImageDraw

from vision.draw import strip as strips
from vision.draw.strip import _font, label_strip
from vision.palette import colour_of, text_colour_on

DARK, BRIGHT = (90, 0, 0), (0, 255, 255)


def test_a_strip_is_its_ground_with_text_on_it() -> None:
    strip = label_strip("person 0.83", 16, DARK)
    assert strip.dtype == np.uint8
    assert tuple(strip[0, 0].tolist()) == DARK
    assert (strip == (255, 255, 255)).all(axis=2).any()


@pytest.mark.parametrize(
    "text", ["person 0.83", "sailing boat 0.5", "W. A. Toy 1.00", "AV To", "x"]
)
def test_a_strip_of_parts_has_the_pixels_of_the_whole(text: str) -> None:
    font = _font(18)
    width = round(font.getlength(text))
    whole = Image.new("RGB", (width, label_strip(text, 18, DARK).shape[0]), DARK)
    margin = (label_strip(text, 18, DARK).shape[1] - width) // 2
    ImageDraw.Draw(whole).text((0, margin // 4), text, fill=text_colour_on(DARK), font=font)
    assert np.array_equal(label_strip(text, 18, DARK)[:, margin:-margin], np.asarray(whole))


def test_strips_of_one_size_are_equally_high_and_longer_text_is_wider() -> None:
    low, high = label_strip("ace", 20, DARK), label_strip("Äpfelg", 20, DARK)
    assert low.shape[0] == high.shape[0]
    assert low.shape[1] < high.shape[1]


def test_a_kept_strip_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        label_strip("person", 16, DARK)[:] = 0


@pytest.mark.parametrize("letter", "éüñçßøåžłŽŐαЖї€")
def test_letters_beyond_ascii_have_glyphs(letter: str) -> None:
    missing = label_strip("\U000f0000", 20, DARK)
    found = label_strip(letter, 20, DARK)
    assert missing.shape != found.shape or not np.array_equal(missing, found)


def test_text_stands_out_from_its_ground() -> None:
    assert text_colour_on(DARK) == (255, 255, 255)
    assert text_colour_on(BRIGHT) == (0, 0, 0)


def test_a_class_keeps_its_colour_and_neighbours_differ() -> None:
    assert colour_of(3) == colour_of(3)
    assert len({colour_of(class_id) for class_id in range(20)}) == 20
    assert colour_of(10_000) in {colour_of(class_id) for class_id in range(20)}


def test_large_and_long_parts_are_not_kept() -> None:
    before = strips._cached.cache_info().currsize
    label_strip("a", 400, (1, 2, 3))
    label_strip("x" * 900, 12, (1, 2, 3))
    assert strips._cached.cache_info().currsize == before
