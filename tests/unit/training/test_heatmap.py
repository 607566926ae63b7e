import numpy as np
import pytest

from training.pose import targets

SIZE, STRIDE = (96, 128), 4


def test_nobody_has_no_heatmaps() -> None:
    heatmaps, weights = targets(np.zeros((0, 17, 3), np.float32), SIZE, STRIDE)
    assert heatmaps.shape == (0, 17, 32, 24)
    assert weights.shape == (0, 17)


def test_a_hill_stands_at_its_joint() -> None:
    joints = np.array([[[40, 60, 2], [41, 62, 1]]], np.float32)

    heatmaps, weights = targets(joints, SIZE, STRIDE)
    assert weights.tolist() == [[1, 1]]
    on_cell, between = heatmaps[0]
    assert on_cell[15, 10] == on_cell.max() == 1
    assert on_cell[15, 9] == on_cell[15, 11] == on_cell[14, 10] == pytest.approx(0.801, abs=1e-3)
    # The centre of gravity lies at the joint itself, a part of a cell beside the highest.
    rows, columns = np.indices(between.shape)
    assert (between * columns).sum() / between.sum() == pytest.approx(41 / 4, abs=0.01)
    assert (between * rows).sum() / between.sum() == pytest.approx(62 / 4, abs=0.01)


@pytest.mark.parametrize(
    "joint", [(40, 60, 0), (-1, 60, 2), (40, -1, 2), (93, 60, 2), (40, 125, 2)]
)
def test_joints_outside_weigh_nothing(joint: tuple[float, float, float]) -> None:
    _, weights = targets(np.array([[joint]], np.float32), SIZE, STRIDE)
    assert weights.tolist() == [[0]]
