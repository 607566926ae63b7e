import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.retry import Failure, GiveUp, RunAgain, decide

guilty = st.sampled_from([Failure.RETRYABLE, Failure.LEASE_LOST, Failure.PROCESS_DIED])


@pytest.mark.parametrize(
    ("tries", "delay"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (5000, 60)]
)
def test_delays_double_up_to_a_minute(tries: int, delay: float) -> None:
    verdict = decide(Failure.RETRYABLE, tries=tries, max_tries=10_000)
    assert verdict == RunAgain(delay=delay, counts=True, as_suspect=False)


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_hand_back_gives_its_try_back_and_never_ends_a_shard(tries: int, max_tries: int) -> None:
    verdict = decide(Failure.HANDED_BACK, tries=tries, max_tries=max_tries)
    assert verdict == RunAgain(delay=0.0, counts=False, as_suspect=False)


@given(st.integers(1, 50), st.integers(1, 50))
def test_what_everybody_meets_uses_up_no_try(tries: int, max_tries: int) -> None:
    verdict = decide(Failure.BLOCKED, tries=tries, max_tries=max_tries)
    assert verdict == RunAgain(delay=10.0, counts=False, as_suspect=False)


@given(guilty, st.integers(1, 50), st.integers(1, 50))
def test_a_shard_ends_exactly_when_its_tries_are_used_up(
    failure: Failure, tries: int, max_tries: int
) -> None:
    verdict = decide(failure, tries=tries, max_tries=max_tries)
    assert isinstance(verdict, GiveUp) == (tries >= max_tries)


@given(guilty)
def test_only_the_death_of_its_process_makes_a_shard_run_alone(failure: Failure) -> None:
    verdict = decide(failure, tries=1, max_tries=2)
    assert isinstance(verdict, RunAgain)
    assert verdict.as_suspect == (failure is Failure.PROCESS_DIED)
    assert verdict.counts
