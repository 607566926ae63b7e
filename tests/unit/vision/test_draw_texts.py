import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from predictions.detections import Detections
from vision.draw.strip import fitted_text
from vision.draw.texts import draw_texts
from vision.palette import colour_of

NOTHING = Detections.empty(("text",))


def quads(*rectangles: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Lying rectangles: x1, y1, x2, y2."""
    corners = [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in rectangles]
    return np.array(corners, np.float32).reshape(-1, 4, 2)


def lines(places: NDArray[np.float32], *texts: str, score: float = 1.0) -> Detections:
    """Lines in these quads (N, 4, 2)."""
    return Detections(
        np.concatenate([places.min(1), places.max(1)], axis=1),
        np.full(len(places), score),
        np.zeros(len(places)),
        ("text",),
        polygons=tuple(places),
        texts=texts,
    )


def ink(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where text is: what is dark and grey."""
    return (picture.max(2) < 160) & (np.ptp(picture.astype(int), axis=2) < 40)


def test_no_text_is_white_paper() -> None:
    image = np.full((1000, 1200, 3), (10, 90, 200), np.uint8)
    drawn = draw_texts(image, NOTHING)
    assert drawn.shape == (1000, 2400, 3)
    assert np.array_equal(drawn[:, :1200], image)
    assert (drawn[:, 1200:] == 255).all()


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((1, 1), (4, 8)),
        ((240, 320), (720, 1920)),
        ((480, 640), (960, 2560)),
        ((700, 900), (700, 1800)),
        ((1000, 2000), (1000, 4000)),
        ((1000, 2001), (2000, 2001)),
        ((30, 40000), (60, 40000)),
    ],
)
def test_small_pictures_grow_and_wide_ones_are_stacked(
    size: tuple[int, int], drawn: tuple[int, int]
) -> None:
    image = np.zeros((*size, 3), np.uint8)
    assert draw_texts(image, NOTHING).shape == (*drawn, 3)


def test_a_text_stands_where_it_was_read() -> None:
    image = np.full((900, 1000, 3), 128, np.uint8)
    before = image.copy()
    drawn = draw_texts(image, lines(quads((100, 200, 700, 260)), "What it says", score=0.9))
    assert np.array_equal(image, before)
    rows, columns = np.nonzero(ink(drawn[:, 1000:]))
    assert 100 < columns.min() < 120
    assert columns.max() < 700
    assert rows.min() > 200
    assert rows.max() < 260
    assert np.ptp(rows) > 30  # as large as fits
    frame = (drawn == colour_of(0)).all(2)
    assert frame[:, :1000].any()
    assert frame[:, 1000:].any()


def test_a_text_that_is_not_sure_is_grey() -> None:
    image = np.zeros((900, 1000, 3), np.uint8)
    place = quads((100, 200, 700, 260))
    [sure, unsure] = (
        draw_texts(image, lines(place, "IIII", score=score))[:, 1000:].max(2).min()
        for score in (0.5, 0.49)
    )
    assert sure == 0
    assert unsure == 120


def test_each_line_has_its_colour() -> None:
    image = np.zeros((900, 1000, 3), np.uint8)
    drawn = draw_texts(image, lines(quads((10, 10, 200, 50), (10, 100, 200, 150)), "", ""))
    for number, rows in enumerate((slice(0, 70), slice(80, 170))):
        shown = drawn[rows]
        assert (shown == colour_of(number)).all(2).any()
        assert not (shown == colour_of(1 - number)).all(2).any()


def test_a_standing_line_reads_downwards() -> None:
    image = np.zeros((1000, 1000, 3), np.uint8)
    drawn = draw_texts(image, lines(quads((400, 100, 460, 900)), "L"))
    rows, columns = np.nonzero(ink(drawn[:, 1000:]))
    assert rows.max() < 200  # it begins at the top
    letter = ink(drawn[:, 1000:])[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    # Turned clockwise, an L's long stroke runs along the top and its foot along the left ...
    assert letter[:3].mean() > 0.8
    assert letter[:, :3].mean() > 0.8
    assert letter[-3:, -3:].mean() == 0


def test_a_turned_line_has_a_turned_text() -> None:
    image = np.zeros((1000, 1000, 3), np.uint8)
    corners = cv2.boxPoints(((500.0, 500.0), (600.0, 60.0), 30.0))[[1, 2, 3, 0]]
    drawn = draw_texts(image, lines(corners[None], "a line that falls to the right"))
    rows, columns = np.nonzero(ink(drawn[:, 1000:]))
    slope, _ = np.polyfit(columns, rows, 1)
    assert np.degrees(np.arctan(slope)) == pytest.approx(30, abs=2)


@pytest.mark.parametrize(
    "quad",
    [
        [(5, 5)] * 4,
        [(5, 5), (90, 5), (90, 5), (5, 5)],
        [(0, 0), (1, 0), (1, 1), (0, 1)],
        [(-500, -500), (-400, -500), (-400, -450), (-500, -450)],
        [(90, 90), (300, 90), (300, 120), (90, 120)],
    ],
)
def test_no_place_is_too_odd(quad: list[tuple[int, int]]) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    drawn = draw_texts(image, lines(np.array([quad], np.float32), "text"))
    assert drawn.shape == (400, 800, 3)


def test_a_line_of_many_thousand_pixels() -> None:
    image = np.zeros((60, 34000, 3), np.uint8)
    drawn = draw_texts(image, lines(quads((100, 10, 33900, 50)), "x" * 2000))
    _, columns = np.nonzero(ink(drawn[60:]))
    assert columns.min() < 200
    assert columns.max() > 30000


def test_a_text_is_as_large_as_fits() -> None:
    for size in ((40, 600), (40, 60), (8, 500), (3, 3), (1, 1)):
        cover = fitted_text("Regatta, gyp", size)
        assert cover.shape == size
        assert cover.dtype == np.uint8
    high = np.nonzero(fitted_text("Regatta, gyp", (40, 600)))
    narrow = np.nonzero(fitted_text("Regatta, gyp", (40, 60)))
    assert np.ptp(high[0]) > 25
    assert np.ptp(narrow[0]) < 12
    assert narrow[1].max() < 60 - 1
    assert not fitted_text("", (20, 20)).any()


def test_what_the_font_lacks_is_a_square_and_what_has_no_shape_a_space() -> None:
    size = (40, 400)
    assert np.array_equal(fitted_text("a海b", size), fitted_text("a\N{WHITE SQUARE}b", size))
    assert np.array_equal(fitted_text("a\tb\nc", size), fitted_text("a b c", size))
    assert not np.array_equal(fitted_text("Київ é", size), fitted_text("□□□□ □", size))
