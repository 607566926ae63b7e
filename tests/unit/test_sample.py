from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.options import DrawOptions, JobOptions, annotating
from core.sample import Sample


@given(st.integers(1, 400), st.integers(0, 400))
def test_a_sample_is_exact_and_has_one_item_of_each_stretch(size: int, listed: int) -> None:
    drawn = [index for index in range(listed) if Sample(size).includes(index, listed)]
    assert len(drawn) == min(size, listed)
    longest = 2 * -(-listed // size)
    assert all(after - before < longest for before, after in pairwise(drawn))
    assert drawn == [index for index in range(listed) if Sample(size).includes(index, listed)]


def test_a_sample_does_not_fall_into_step_with_what_repeats() -> None:
    listed, size, cameras = 100_000, 1000, 10
    drawn = [index for index in range(listed) if Sample(size).includes(index, listed)]
    seen = [sum(index % cameras == camera for index in drawn) for camera in range(cameras)]
    assert min(seen) > 60
    assert max(seen) < 140


def test_ten_million_items_are_no_trouble() -> None:
    assert sum(Sample(10**6).includes(index, 10**7) for index in range(10_000)) == 1000


@pytest.mark.parametrize("text", ["sample:0", "sample:-1", "sample", "sample:1k", "1000", ""])
def test_what_is_no_sample(text: str) -> None:
    with pytest.raises(ValueError, match="write sample:1000"):
        Sample.parse(text)


def test_options_say_which_items_are_drawn() -> None:
    options = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)

    def drawing(asked: bool | Sample) -> DrawOptions:
        again = JobOptions.from_json(options.but(**annotating(asked)).to_json())
        assert again.drawing.annotated == asked
        return again.drawing

    assert drawing(asked=True).draws(5, 10)
    assert not drawing(asked=False).draws(5, 10)
    assert sum(drawing(Sample(3)).draws(index, 10) for index in range(10)) == 3
    # Versions without samples refuse such a job, and read all others as before.
    assert "sample" in options.but(sample=3).to_json()
    assert "sample" not in options.to_json()
