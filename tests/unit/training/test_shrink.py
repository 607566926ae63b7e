import numpy as np
import pytest

from training.text_detector import shrunk, targets

QUAD = np.array([[10, 20], [70, 20], [70, 40], [10, 40]], np.float32)


def test_a_quad_is_shrunk_by_its_area_and_circumference() -> None:
    # 60 x 20 pixels: area 1200, circumference 160
    distance = 1200 * (1 - 0.6**2) / 160

    outline = shrunk(QUAD)
    assert outline.min(0) == pytest.approx([10 + distance, 20 + distance], abs=0.01)
    assert outline.max(0) == pytest.approx([70 - distance, 40 - distance], abs=0.01)


def test_nothing_is_left_of_what_has_no_area() -> None:
    assert shrunk(np.zeros((4, 2), np.float32)).shape == (0, 2)


def test_a_map_without_text_is_all_zeros_that_count() -> None:
    wanted, weights = targets([], [], (96, 64), 2)
    assert wanted.shape == weights.shape == (32, 48)
    assert not wanted.any()
    assert weights.all()


def test_the_core_of_a_line_is_wanted_and_what_is_ignored_weighs_nothing() -> None:
    other = QUAD + np.array([0, 40], np.float32)

    wanted, weights = targets([QUAD], [other], (96, 96), 2)
    rows, columns = np.nonzero(wanted)
    # in pixels from 14.8 to 65.2 and from 24.8 to 35.2
    assert (columns.min() * 2, (columns.max() + 1) * 2) == pytest.approx((14.8, 65.2), abs=2)
    assert (rows.min() * 2, (rows.max() + 1) * 2) == pytest.approx((24.8, 35.2), abs=2)
    assert weights[15, 20] == 1
    assert weights[35, 20] == wanted[35, 20] == 0


def test_a_line_to_be_read_counts_even_where_an_ignored_one_lies_over_it() -> None:
    _, weights = targets([QUAD], [QUAD], (96, 64), 2)
    assert weights[15, 20] == 1
