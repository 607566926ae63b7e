import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import UsageError
from vision.outputs.db_settings import DbSettings
from vision.outputs.text_regions import TextRegions, find_regions

SETTINGS = DbSettings(thresh=0.3, box_thresh=0.6, max_candidates=1000, unclip_ratio=1.5)


def blank(height: int = 128, width: int = 160) -> NDArray[np.float32]:
    return np.zeros((height, width), np.float32)


def grown(x1: float, y1: float, x2: float, y2: float) -> list[list[float]]:
    """The corners of a rectangle moved out by area * 1.5 / circumference."""
    distance = (x2 - x1) * (y2 - y1) * 1.5 / (2 * (x2 - x1 + y2 - y1))
    x1, y1, x2, y2 = x1 - distance, y1 - distance, x2 + distance, y2 + distance
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]


def test_no_text() -> None:
    found = find_regions(blank(), (128, 160), SETTINGS)
    assert len(found) == 0
    assert found.quads.shape == (0, 4, 2)
    assert found.quads.dtype == found.scores.dtype == np.float32


def test_a_rectangle_grows_by_its_area_over_its_circumference() -> None:
    map_ = blank()
    map_[50:70, 40:100] = 0.9
    found = find_regions(map_, (128, 160), SETTINGS)
    # The outline runs through the middle of the outermost pixels.
    assert found.quads[0] == pytest.approx(np.array(grown(40, 50, 99, 69)), abs=1)
    assert found.scores == pytest.approx([0.9], abs=1e-6)


def test_quads_are_in_pixels_of_the_picture() -> None:
    map_ = blank()
    map_[50:70, 40:100] = 0.9
    found = find_regions(map_, (256, 640), SETTINGS)
    expected = np.array(grown(40, 50, 99, 69)) * [4, 2]
    assert found.quads[0] == pytest.approx(expected, abs=4)


def test_quads_stay_within_the_picture() -> None:
    map_ = blank()
    map_[:20, :60] = 0.9
    map_[-20:, -60:] = 0.9
    found = find_regions(map_, (128, 160), SETTINGS)
    assert len(found) == 2
    assert found.quads.min() == 0
    assert found.quads.reshape(-1, 2).max(0).tolist() == [159, 127]


def test_the_score_is_the_mean_inside() -> None:
    map_ = blank()
    map_[50:70, 40:100] = 0.5
    map_[50:70, 60:100] = 1.0
    [score] = find_regions(map_, (128, 160), SETTINGS).scores
    assert score == pytest.approx((20 * 0.5 + 40 * 1.0) / 60, abs=1e-6)


@pytest.mark.parametrize(("probability", "count"), [(0.59, 0), (0.61, 1)])
def test_a_region_has_to_be_sure_enough(probability: float, count: int) -> None:
    map_ = blank()
    map_[50:70, 40:100] = probability
    assert len(find_regions(map_, (128, 160), SETTINGS)) == count


@pytest.mark.parametrize(("height", "count"), [(1, 0), (3, 0), (6, 1)])
def test_a_region_has_to_be_three_pixels_high(height: int, count: int) -> None:
    map_ = blank()
    map_[50 : 50 + height, 40:100] = 1
    assert len(find_regions(map_, (128, 160), SETTINGS)) == count


def test_a_turned_line_has_a_turned_quad() -> None:
    map_ = blank(300, 300)
    rectangle = ((150.0, 150.0), (160.0, 24.0), 30.0)
    corners = cv2.boxPoints(rectangle)
    cv2.fillPoly(map_, [corners.astype(np.int32)], (1,))
    [quad] = find_regions(map_, (300, 300), SETTINGS).quads
    move = 160 * 24 * 1.5 / (2 * (160 + 24))
    larger = cv2.boxPoints(((150.0, 150.0), (160 + 2 * move, 24 + 2 * move), 30.0))
    # Corners from the upper left of the line, which falls to the right, clockwise.
    expected = larger[[1, 2, 3, 0]]
    assert quad == pytest.approx(expected, abs=3)


def test_reading_order() -> None:
    map_ = blank(200, 300)
    map_[100:112, 20:100] = 1  # second row, left
    map_[20:32, 160:260] = 1  # first row, right, a little higher than its neighbour
    map_[24:36, 20:120] = 1  # first row, left
    map_[97:109, 160:260] = 1  # second row, right, a little higher than its neighbour
    found = find_regions(map_, (200, 300), SETTINGS)
    centres = found.quads.mean(1)
    assert [(x < 140, y < 60) for x, y in centres.tolist()] == [
        (True, True),
        (False, True),
        (True, False),
        (False, False),
    ]


def test_no_more_regions_than_candidates() -> None:
    map_ = blank(200, 300)
    for row in range(5):
        map_[40 * row + 8 : 40 * row + 18, 20:200] = 1
    assert len(find_regions(map_, (200, 300), SETTINGS)) == 5
    few = DbSettings(thresh=0.3, box_thresh=0.6, max_candidates=2, unclip_ratio=1.5)
    assert len(find_regions(map_, (200, 300), few)) == 2


def test_dilation_joins_what_a_pixel_parts() -> None:
    map_ = blank()
    map_[50:70, 40:70] = 1
    map_[50:70, 71:100] = 1
    assert len(find_regions(map_, (128, 160), SETTINGS)) == 2
    joined = DbSettings(unclip_ratio=1.5, use_dilation=True)
    assert len(find_regions(map_, (128, 160), joined)) == 1


def test_a_tiny_picture_lies_in_the_corner_of_its_map() -> None:
    # 20 x 24 pixels are put on a canvas of 32 x 32; the map shows all of that.
    map_ = blank(32, 32)
    map_[4:14, 2:18] = 1
    [quad] = find_regions(map_, (20, 24), SETTINGS).quads
    assert quad == pytest.approx(np.clip(np.array(grown(2, 4, 17, 13)), 0, [23, 19]), abs=1)


def test_a_map_of_one_pixel() -> None:
    assert len(find_regions(np.ones((1, 1), np.float32), (1, 1), SETTINGS)) == 0


def test_all_of_a_picture() -> None:
    found = find_regions(np.ones((64, 96), np.float32), (64, 96), SETTINGS)
    assert isinstance(found, TextRegions)
    assert found.quads.tolist() == [[[0, 0], [95, 0], [95, 63], [0, 63]]]


def test_settings_of_an_export() -> None:
    post = {"name": "DBPostProcess", "thresh": 0.2, "box_thresh": 0.5, "unclip_ratio": 1.7}
    assert DbSettings.of({"PostProcess": post}) == DbSettings(0.2, 0.5, 1000, 1.7)
    assert DbSettings.of({"PostProcess": {}}) == DbSettings(0.3, 0.6, 1000, 2.0)


@pytest.mark.parametrize(
    ("post", "message"),
    [
        ({"thresh": "high"}, "cannot be read"),
        ({"thresh": 1.5}, "thresh must lie between 0 and 1"),
        ({"box_thresh": -1}, "box_thresh must lie"),
        ({"unclip_ratio": 0}, "makes no sense"),
        ({"unclip_ratio": float("nan")}, "makes no sense"),
        ({"max_candidates": 0}, "makes no sense"),
        ({"score_mode": "slow"}, "score_mode 'slow'"),
        ({"box_type": "poly"}, "box_type 'poly'"),
    ],
)
def test_settings_that_cannot_be_used(post: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DbSettings.of({"PostProcess": post})
