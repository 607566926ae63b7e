import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vision.regions import class_counts


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_counts_are_those_of_numpy(labels: np.ndarray) -> None:
    assert class_counts(labels).tolist() == np.bincount(labels.ravel(), minlength=256).tolist()


@pytest.mark.parametrize("shape", [(5000, 7001), (1, 2**25 + 1)])
def test_no_pixel_is_lost_in_large_maps(shape: tuple[int, int]) -> None:
    labels = np.full(shape, 7, np.uint8)
    labels[0, 0] = 255
    counts = class_counts(labels)
    assert counts[7] == labels.size - 1
    assert counts[255] == 1
