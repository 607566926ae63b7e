import numpy as np
import pytest

from training.view import IGNORED, random_view, view_of


def test_a_window_of_the_same_size_moves_whole_pixels() -> None:
    picture = np.arange(8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3)

    view = view_of((2, 1, 6, 5), (4, 4))
    assert np.array_equal(view.image(picture), picture[1:5, 2:6])
    assert np.array_equal(
        view_of((2, 1, 6, 5), (4, 4), mirrored=True).image(picture), picture[1:5, 2:6][:, ::-1]
    )


def test_labels_outside_of_the_picture_are_ignored() -> None:
    labels = view_of((-2, 0, 2, 4), (4, 4)).labels(np.ones((4, 4), np.uint8))
    assert labels.tolist() == [[IGNORED, IGNORED, 1, 1]] * 4


def test_points_go_with_their_pixels() -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[20:24, 50:54] = 255
    rng = np.random.default_rng(0)
    for _ in range(10):
        view = random_view(rng, (80, 60), (120, 120))
        rows, columns = np.nonzero(view.image(picture, border=(0, 0, 0))[..., 0] > 127)
        middle = view.points(np.array([52.0, 22.0]))
        if len(rows) and (middle > 10).all() and (middle < 110).all():
            seen = (columns.mean() + 0.5, rows.mean() + 0.5)
            assert seen == pytest.approx(middle.tolist(), abs=0.7)


def test_a_turn_is_about_the_middle() -> None:
    view = view_of((0, 0, 10, 10), (20, 20), angle=np.pi / 2)
    assert view.points(np.array([[5.0, 5.0], [10.0, 5.0]])).tolist() == pytest.approx(
        np.array([[10, 10], [10, 20]])
    )
