import pytest

from report.statistics import EvenSample


def sample(length: int, limit: int) -> EvenSample[int]:
    sample: EvenSample[int] = EvenSample(limit)
    for number in range(length):
        sample.add(number)
    return sample


@pytest.mark.parametrize("length", [0, 1, 9, 10])
def test_a_short_stream_is_kept_whole(length: int) -> None:
    assert sample(length, 10).pick(10) == list(range(length))


@pytest.mark.parametrize("length", [11, 19, 20, 21, 100, 1_000, 12_345])
def test_a_long_stream_is_sampled_from_end_to_end(length: int) -> None:
    picked = sample(length, 10).pick(10)
    assert len(picked) == 10
    gaps = [after - before for before, after in zip(picked, [*picked[1:], length], strict=True)]
    assert picked[0] == 0
    assert min(gaps) > 0
    assert max(gaps) <= 2.5 * length / 10


def test_memory_is_bounded() -> None:
    assert len(sample(100_000, 10)._kept) < 20


def test_nothing_is_picked_where_there_is_no_room() -> None:
    assert sample(5, 10).pick(0) == []
