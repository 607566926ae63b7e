import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import BadInputError
from vision.outputs.heatmaps import read_heatmaps


def gaussian(x: float, y: float, sigma: float = 2.0, size: tuple[int, int] = (64, 48)) -> NDArray:
    rows, columns = np.indices(size)
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def test_nobody() -> None:
    assert read_heatmaps(np.empty((0, 17, 64, 48), np.float32)).shape == (0, 17, 3)


@pytest.mark.parametrize("place", [(20.0, 30.0), (20.3, 30.4), (10.45, 50.1), (33.8, 12.6)])
@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
def test_a_gaussian_is_found_between_cells(place: tuple[float, float], sigma: float) -> None:
    heat = 0.7 * gaussian(*place, sigma)
    found = read_heatmaps(heat[None, None])[0, 0]
    assert found[:2] == pytest.approx(place, abs=0.1)
    assert found[2] == heat.max()


def test_without_dark_it_is_a_quarter_towards_the_higher_neighbour() -> None:
    maps = np.stack([gaussian(20.3, 30.4), gaussian(19.8, 30.0)])[None]
    found = read_heatmaps(maps, dark=False)[0]
    assert found[:, :2].tolist() == [[20.25, 30.25], [19.75, 30.0]]


def test_every_map_is_read_alone() -> None:
    places = np.random.default_rng(3).uniform(6, 40, (3, 5, 2))
    maps = np.array([[gaussian(*place) for place in person] for person in places])
    found = read_heatmaps(maps)
    assert found[..., :2] == pytest.approx(places, abs=0.1)
    for person in range(3):
        assert np.array_equal(read_heatmaps(maps[person : person + 1])[0], found[person])


@pytest.mark.parametrize("place", [(0, 0), (1, 30), (47, 63), (46, 30), (20, 1), (20, 62)])
def test_at_the_rim_a_point_stays_on_its_cell(place: tuple[int, int]) -> None:
    heat = gaussian(*place)
    assert read_heatmaps(heat[None, None])[0, 0, :2].tolist() == list(place)


def test_what_is_nowhere_positive_is_nowhere() -> None:
    maps = np.stack([np.zeros((64, 48)), np.full((64, 48), -1.0)]).astype(np.float32)[None]
    assert read_heatmaps(maps)[0].tolist() == [[0, 0, 0], [0, 0, -1]]


def test_a_flat_top_gives_no_step() -> None:
    heat = np.full((1, 1, 64, 48), 0.5, np.float32)
    heat[..., 20:40, 10:30] = 0.75
    assert np.isfinite(read_heatmaps(heat)).all()


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_no_number_is_no_answer(broken: float) -> None:
    heat = gaussian(20, 30)[None, None].copy()
    heat[0, 0, 5, 5] = broken
    with pytest.raises(BadInputError) as caught:
        read_heatmaps(heat)
    assert caught.value.reason == "model_output_invalid"


def one_by_one(heat: NDArray[np.float32]) -> list[float]:
    """DARK as its formula says it, for one map and with loops."""
    height, width = heat.shape
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    point = [float(x), float(y)]
    bordered = cv2.copyMakeBorder(heat.astype(np.float64), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    blurred = cv2.GaussianBlur(bordered, (3, 3), 0)[1:-1, 1:-1].astype(np.float32)
    blurred *= heat.max() / blurred.max()
    log = np.log(np.maximum(blurred, 1e-10)).astype(np.float64)
    if 1 < x < width - 2 and 1 < y < height - 2:
        slope = [(log[y, x + 1] - log[y, x - 1]) / 2, (log[y + 1, x] - log[y - 1, x]) / 2]
        cross = log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]
        hessian = [
            [(log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4, cross / 4],
            [cross / 4, (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4],
        ]
        point = [
            start - step for start, step in zip(point, np.linalg.solve(hessian, slope), strict=True)
        ]
    return [*point, float(heat.max())]


def test_noisy_maps_are_read_as_the_formula_says() -> None:
    random = np.random.default_rng(11)
    places = random.uniform(-1, 65, (4, 17, 2))
    maps = np.array([[gaussian(*place) for place in person] for person in places])
    maps += random.normal(0, 0.05, maps.shape).astype(np.float32)
    expected = np.array([[one_by_one(heat) for heat in person] for person in maps])
    assert read_heatmaps(maps) == pytest.approx(expected, rel=1e-3, abs=1e-3)
