from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from scheduler.dispatch import Claimant, allocate, to_take_back


@st.composite
def claimants(draw: st.DrawFn) -> list[Claimant]:
    count = draw(st.integers(0, 5))
    return [
        Claimant(
            f"job{n}",
            priority=draw(st.integers(-5, 5)),
            ready=draw(st.integers(0, 30)),
            outstanding=draw(st.integers(0, 30)),
            room=draw(st.integers(-3, 30)),
        )
        for n in range(count)
    ]


def capacity(claimant: Claimant) -> int:
    return max(0, min(claimant.ready, claimant.room))


@given(st.integers(-5, 60), claimants())
def test_no_job_gets_more_than_it_can_use(free: int, jobs: list[Claimant]) -> None:
    given_ = allocate(free, jobs)
    assert all(0 < given_[job] <= capacity(c) for c in jobs for job in {c.job_id} & set(given_))


@given(st.integers(-5, 60), claimants())
def test_no_slot_stays_free_while_a_job_could_use_it(free: int, jobs: list[Claimant]) -> None:
    assert sum(allocate(free, jobs).values()) == min(max(0, free), sum(map(capacity, jobs)))


@given(st.integers(0, 60), claimants())
def test_nobody_who_wants_more_has_less_for_its_weight(free: int, jobs: list[Claimant]) -> None:
    """Moving the last slot of one job to another that wants it would not be fairer."""
    given_ = allocate(free, jobs)

    def load(claimant: Claimant, more: int) -> Fraction:
        has = claimant.outstanding + given_.get(claimant.job_id, 0) + more
        return has / Fraction(2) ** claimant.priority

    for rich in jobs:
        for poor in jobs:
            wants = given_.get(poor.job_id, 0) < capacity(poor)
            if wants and given_.get(rich.job_id, 0):
                assert load(rich, -1) <= load(poor, 0)


def endless(job_id: str, priority: int = 0, outstanding: int = 0) -> Claimant:
    return Claimant(job_id, priority, ready=10_000, outstanding=outstanding, room=10_000)


def test_shares_are_in_proportion_to_the_power_of_two_of_the_priority() -> None:
    shares = allocate(700, [endless("low"), endless("mid", 1), endless("high", 2)])
    assert shares == {"low": 100, "mid": 200, "high": 400}


def test_what_is_outstanding_counts() -> None:
    assert allocate(10, [endless("old", outstanding=8), endless("new")]) == {"old": 1, "new": 9}
    assert allocate(4, [endless("old", outstanding=8), endless("new")]) == {"new": 4}


def test_a_single_slot_goes_to_the_higher_priority_then_to_the_earlier_job() -> None:
    assert allocate(1, [endless("early"), endless("urgent", 1)]) == {"urgent": 1}
    assert allocate(1, [endless("early"), endless("late")]) == {"early": 1}


def test_everybody_gets_a_slot_before_anybody_gets_its_whole_share() -> None:
    assert allocate(2, [endless("low"), endless("high", 10)]) == {"low": 1, "high": 1}


@given(claimants(), st.data())
def test_only_what_is_more_than_fair_makes_way(jobs: list[Claimant], data: st.DataObject) -> None:
    jobs = [replace(c, queued=data.draw(st.integers(0, c.outstanding))) for c in jobs]
    taken = to_take_back(jobs, {})
    poor = [c for c in jobs if not c.outstanding and capacity(c)]
    assert sum(taken.values()) <= len(poor)
    for rich in jobs:
        number = taken.get(rich.job_id, 0)
        assert number <= rich.queued
        if number:
            left = (rich.outstanding - number) / Fraction(2) ** rich.priority
            assert any(left >= 1 / Fraction(2) ** one.priority for one in poor)
