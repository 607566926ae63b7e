import numpy as np
import pytest

from training.crop import official_crop

SIZE = (96, 128)


@pytest.mark.parametrize(
    ("box", "crop"),
    [
        ((100, 100, 140, 180), (81, 88, 159, 232 - 40)),  # slim: widened to 3:4
        ((100, 100, 200, 140), (85, 94, 215, 146)),  # wide: stays
        ((0, 0, 40, 80), (0, 0, 59, 92)),  # cut off by the picture
    ],
)
def test_crops_are_those_of_the_official_formula(
    box: tuple[float, float, float, float], crop: tuple[int, int, int, int]
) -> None:
    found = official_crop(box, (640, 480))
    assert (found.x1, found.y1, found.x2, found.y2) == crop


def test_points_come_back_to_where_they_were() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[140:143, 120:123] = 255
    crop = official_crop((100, 100, 140, 180), (640, 480))

    rows, columns = np.nonzero(crop.image(picture, SIZE)[..., 0] > 127)
    [point] = crop.points(np.array([[columns.mean(), rows.mean()]]), SIZE)
    assert point.tolist() == pytest.approx([121, 141], abs=0.5)
