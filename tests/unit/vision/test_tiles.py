import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from predictions.detections import Detections
from vision.rectangle import Rectangle
from vision.rle import box_around, runs_of
from vision.tiles import Tiling, in_picture


def slice_boxes(
    image_height: int, image_width: int, slice_height: int, slice_width: int, overlap: float
) -> list[list[int]]:
    """SAHI's rule, step by step."""
    boxes = []
    y_max = y_min = 0
    y_overlap, x_overlap = int(overlap * slice_height), int(overlap * slice_width)
    while y_max < image_height:
        x_min = x_max = 0
        y_max = y_min + slice_height
        while x_max < image_width:
            x_max = x_min + slice_width
            if y_max > image_height or x_max > image_width:
                x_max, y_max = min(image_width, x_max), min(image_height, y_max)
                x_min, y_min = max(0, x_max - slice_width), max(0, y_max - slice_height)
            boxes.append([x_min, y_min, x_max, y_max])
            x_min = x_max - x_overlap
        y_min = y_max - y_overlap
    return boxes


@pytest.mark.parametrize("size_wh", [(1, 1), (640, 640), (3, 640), (100, 20)])
def test_a_picture_no_larger_than_a_tile_is_one(size_wh: tuple[int, int]) -> None:
    assert Tiling(640, 640).tiles(size_wh) == [(0, 0, *size_wh)]


def test_the_last_tiles_are_moved_back_inside() -> None:
    assert Tiling(640, 480, 0.25).tiles((1000, 480)) == [(0, 0, 640, 480), (360, 0, 1000, 480)]


@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]),
)
def test_tiles_are_those_of_sahi(
    size_wh: tuple[int, int], tile_wh: tuple[int, int], overlap: float
) -> None:
    tiles = Tiling(*tile_wh, overlap).tiles(size_wh)
    assert [list(tile) for tile in tiles] == slice_boxes(*size_wh[::-1], *tile_wh[::-1], overlap)
    assert len({(tile.x2 - tile.x1, tile.y2 - tile.y1) for tile in tiles}) == 1
    covered = np.zeros(size_wh[::-1], bool)
    for tile in tiles:
        tile.cut(covered)[:] = True
    assert covered.all()


@pytest.mark.parametrize(("width", "height", "overlap"), [(0, 5, 0.2), (5, -1, 0.2), (5, 5, 1.0)])
def test_tiles_that_cannot_be_cut_are_refused(width: int, height: int, overlap: float) -> None:
    with pytest.raises(UsageError, match=r"tiles .*cannot"):
        Tiling(width, height, overlap)


def test_what_tiles_show_is_found_in_the_picture() -> None:
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True
    found = Detections(
        np.array([[1, 2, 3.5, 4]], np.float32),
        np.array([0.5], np.float32),
        np.array([7], np.int32),
        masks=(runs_of(mask),),
    )
    tiles = [Rectangle(0, 0, 5, 4), Rectangle(100, 20, 105, 24)]
    placed = in_picture([found, found], tiles, (110, 30))
    assert placed.xyxy.tolist() == [[1, 2, 3.5, 4], [101, 22, 103.5, 24]]
    assert placed.class_ids.tolist() == [7, 7]
    assert placed.masks is not None
    assert [mask.size for mask in placed.masks] == [(30, 110)] * 2
    assert [box_around(mask) for mask in placed.masks] == [(2, 1, 3, 2), (102, 21, 103, 22)]


def test_nothing_in_any_tile_is_nothing_in_the_picture() -> None:
    assert len(in_picture([], [], (5, 5))) == 0
    assert len(in_picture([Detections.empty()] * 2, [Rectangle(3, 4, 5, 6)] * 2, (9, 9))) == 0
