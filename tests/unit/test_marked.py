import numpy as np

from evaluation.evaluation import Mark
from report.marked import COLOURS, draw_marks


def _box(x1: float, y1: float, x2: float, y2: float) -> tuple[tuple[float, float], ...]:
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def test_marks_lie_where_the_picture_shows_the_thing() -> None:
    grey = np.full((600, 1600, 3), 90, np.uint8)  # half as large, with a panel beside it
    drawn = draw_marks(grey, [Mark("wrong", "a", _box(400, 200, 800, 600))], 0.5)
    rows, columns = np.nonzero((drawn == COLOURS["wrong"]).all(axis=2))
    assert abs(rows.min() - 100) < 5
    assert abs(rows.max() - 300) < 5
    assert abs(columns.min() - 200) < 5
    assert abs(columns.max() - 400) < 5


def test_a_mark_does_not_cover_a_small_line_of_text() -> None:
    grey = np.full((1200, 2400, 3), 90, np.uint8)
    for kind in COLOURS:
        drawn = draw_marks(grey, [Mark(kind, "a", _box(100, 100, 160, 112))], 1.0)
        assert (drawn != 90).any()
        assert (drawn[104:109, 104:157] == 90).all()
